"""Settings of the whole test suite."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Two workers share two cores: libraries that start one thread per core would fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nor is a pool of processes, each of which loads torch, worth it for the few small towers that are
# compiled here.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

# What is compiled belongs into the cache of people alone.
os.environ["SIGHTLINE_COMPILE_CACHE"] = "off"

# A shell lets what it starts in the background ignore Ctrl-C, and every process that a test starts
# would inherit that: those that Ctrl-C has to end would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are shared and noisy, so no example has a time limit; the seed is fixed so that a
# failure found on one machine is found on the next.
settings.register_profile(
    "sightline",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("sightline")

# Hypothesis also draws constants of the modules that are loaded, which depends on the tests that
# ran before: each order of tests would see examples of its own.
providers._get_local_constants = lambda: providers._local_constants


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin each test, and the fixtures made for it, with the same random numbers of torch."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
