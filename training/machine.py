"""What a run computes on, and how much memory it took."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

import torch

from core.types import JSONObject

_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine(device: torch.device) -> JSONObject:
    """Return the names of CPU and device, the number of CPU cores and the threads of torch."""
    return {
        "cpu": cpu_name(),
        "cpu_cores": os.cpu_count(),
        "system": platform.platform(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "torch_threads": torch.get_num_threads(),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
    }


def peak_memory_mb(device: torch.device) -> JSONObject:
    """Return the most memory so far in MB (10^6 bytes), of the process and on its CUDA device."""
    # Linux counts in units of 1024 bytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    process_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    on_cuda = device.type == "cuda"
    return {
        "process": round(process_bytes / 1e6, 1),
        "device": round(torch.cuda.max_memory_allocated(device) / 1e6, 1) if on_cuda else None,
    }


def cpu_name() -> str:
    """Return the model name of the CPU, or its architecture where the system does not tell."""
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
