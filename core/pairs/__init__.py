"""Pairs on disk: what they are, and the formats they are read from."""
