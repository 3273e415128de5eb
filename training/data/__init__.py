"""Pairs as batches: reading, caching, augmentation, order."""
