"""The recipe of the starter model that ships with Sightline; see docs/starter-model.md."""
