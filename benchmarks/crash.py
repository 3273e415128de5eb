"""Kill writers, and check answers under load, for as long as one likes.

    python -m benchmarks.crash --kills 2000 --seconds 60

Each death forks a writer with two threads that merges often, kills it with SIGKILL at a random
time or at a named fault point, and opens the collection: every acknowledged item must be at rank 1
of a search by its own vector, the whole ranking equal to brute force, nothing deleted returned.
Then writers, readers, merges and snapshots run at once, and every answer is checked for being
linearizable. The same code runs for shorter in tests/index/test_crash.py and test_linear.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(module: str, *arguments: object) -> bool:
    """Run a module of the tests in a process and an empty folder of its own; print its report."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", module, folder, *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    print(
        f"\n{module}: exit {done.returncode} after {time.perf_counter() - began:.0f} s", flush=True
    )
    return done.returncode == 0


def main() -> None:
    """Run both; exit with 1 if something was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=2000, help="deaths (default 2000)")
    parser.add_argument("--seconds", type=float, default=60, help="of checked load (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the random operations (default 0)")
    chosen = parser.parse_args()
    survived = run("tests.index.killing", chosen.kills, chosen.seed)
    linear = run("tests.index.linear", chosen.seconds, chosen.seed)
    sys.exit(0 if survived and linear else 1)


if __name__ == "__main__":
    main()
