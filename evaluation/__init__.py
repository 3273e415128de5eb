"""Metrics and the offline evaluation of retrieval and zero-shot labels."""
