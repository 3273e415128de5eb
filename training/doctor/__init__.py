"""The data doctor: what a set of pairs holds, before a run is spent on it; imports no torch."""
