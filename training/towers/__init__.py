"""The two towers of a run: built, changed and watched."""
