"""The one OpenVINO core of a process."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any


@functools.cache
def openvino_core(openvino: ModuleType) -> Any:
    """Return the core that compiles every tower of this process; it is never given up.

    The thread that first asks a core for the CPU gets another stack for its signals from OpenVINO.
    OpenVINO frees that memory with the core, in whichever thread that happens to be; in another
    one the first stays with a stack that is gone, and its next signal (Ctrl-C, SIGTERM) ends the
    process with a segmentation fault.
    """
    return openvino.Core()
