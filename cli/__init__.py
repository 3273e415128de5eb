"""The sightline command: one thin file per command."""
