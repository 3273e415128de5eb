"""Ranked lists against judgements: metrics, intervals, and the files of TREC."""
