"""Trained models made into one: interpolation of two, averages of many."""
