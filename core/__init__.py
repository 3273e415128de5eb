"""The floor: errors, artifacts, config loading, pairs, progress, logging, array types."""
