"""The machine that a runtime was measured on: figures of one say nothing of another."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

from core.cores import usable_cores
from encoders.openvino_core import openvino_core


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides which runtime is the quickest."""

    cpu: str
    """Name of the processor."""
    architecture: str
    """For example ``x86_64``."""
    cores: int
    """Cores that the process may use."""
    capabilities: tuple[str, ...]
    """Types that the processor computes with, as OpenVINO names them."""
    openvino: str
    """Version of OpenVINO; another one is another machine."""

    def __str__(self) -> str:
        types = ", ".join(self.capabilities)
        return f"{self.cpu} ({self.architecture}, {self.cores} cores, {types})"


def this_machine(openvino: Any) -> Machine:
    """Return the machine of this process, as the module OpenVINO sees it."""
    core = openvino_core(openvino)
    return Machine(
        cpu=core.get_property("CPU", "FULL_DEVICE_NAME"),
        architecture=platform.machine(),
        cores=usable_cores(),
        capabilities=tuple(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        openvino=openvino.get_version(),
    )
