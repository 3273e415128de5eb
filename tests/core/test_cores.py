"""Rules of counting cores: those of the process, not those of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.cores import usable_cores

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_that_is_kept_on_one_core_counts_one() -> None:
    """In a process of its own, for the choice holds for all of its threads."""
    script = (
        "import os; from core.cores import usable_cores; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(usable_cores())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "1\n"
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
