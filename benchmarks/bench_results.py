"""The section of RESULTS.md that ``make bench`` writes; all other sections are written by hand."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench_rows import Row, table, tally

RESULTS = Path(__file__).parent / "RESULTS.md"
BEGIN = "<!-- make bench: begin; what stands between these marks is rewritten -->"
END = "<!-- make bench: end -->"


def write_section(path: Path, body: str) -> None:
    """Put the body between the marks, which are appended to a file without them.

    Raises:
        ValueError: one mark without the other, or in the wrong order.
    """
    text = path.read_text(encoding="utf-8")
    path.write_text(with_section(text, body), encoding="utf-8")


def with_section(text: str, body: str) -> str:
    """Return the text with the body between the marks, and all else as it is.

    Raises:
        ValueError: one mark without the other, or in the wrong order.
    """
    section = f"{BEGIN}\n{body.strip()}\n{END}"
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 and end < 0:
        return f"{text.rstrip()}\n\n{section}\n"
    if begin < 0 or end < begin:
        raise ValueError(f"the marks are damaged; put back {BEGIN!r} and, below it, {END!r}")
    return text[:begin] + section + text[end + len(END) :]


def section(rows: Sequence[Row], *, command: str, machine: str) -> str:
    """Return heading, how it was measured, one table, and the count of its lines."""
    head = f"## All peers in one run ({time.strftime('%Y-%m-%d')})"
    how = (
        f"`{command}`: {machine}. Both sides of a line ran in turn, round by round; a ratio is the "
        "median of the rounds with the least and the greatest, and above 1 ours is ahead. Shares "
        "of a limit are in per cent. Embedding, adding and serving use one ViT-B-32 of random "
        "weights, tuned for this machine; its int8 is quantised on the example gallery, for the "
        "speed, whatever the gate would say. The other parts use the starter model or none."
    )
    return "\n\n".join([head, how, table(rows), f"{tally(rows)}."])


def machine_name() -> str:
    """Return cores, processor, system and Python, and how busy the machine was."""
    load = f"load {os.getloadavg()[0]:.1f} at the start"
    words = [f"{os.cpu_count()} cores of {processor()}", platform.system()]
    return ", ".join([*words, f"Python {platform.python_version()}", "no GPU used", load])


def processor() -> str:
    """Return what the system calls its processor."""
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for found in listed.read_text(encoding="utf-8").splitlines():
            if found.startswith("model name"):
                return found.partition(":")[2].strip()
    return platform.processor() or platform.machine()
