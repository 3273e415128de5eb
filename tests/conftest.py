"""Settings of the whole test suite."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# Two workers share two cores: libraries that start one thread per core would fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell lets what it starts in the background ignore Ctrl-C, and every process that a test starts
# would inherit that: those that Ctrl-C has to end would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are shared and noisy, so no example has a time limit; the seed is fixed so that a
# failure found on one machine is found on the next.
settings.register_profile("sightline", deadline=None, derandomize=True)
settings.load_profile("sightline")
