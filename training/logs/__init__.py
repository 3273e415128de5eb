"""Where the figures of a run go: files of its folder, and services that track runs."""
