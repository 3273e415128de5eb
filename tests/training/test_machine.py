"""Rules of the description of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.machine import cpu_name, describe_machine, peak_memory_mb

CPU = torch.device("cpu")
STATUS = Path("/proc/self/status")


@pytest.mark.skipif(not STATUS.is_file(), reason="the peak is compared with that of Linux")
def test_the_peak_is_that_of_the_system() -> None:
    """In MB of 10^6 bytes; it may be more, because a process starts with the peak of its parent."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    system_mb = int(line.split()[1]) * 1024 / 1e6

    process_mb = peak_memory_mb(CPU)["process"]
    assert isinstance(process_mb, float)
    assert system_mb - 1 <= process_mb < 100 * system_mb


def test_the_cpu_has_a_name() -> None:
    """One line of text, without the padding of the kernel's table."""
    assert cpu_name() == cpu_name().strip()
    assert len(cpu_name()) > 2


def test_cuda_is_named_only_where_it_is_used() -> None:
    """On a CPU there is neither a device name nor a CUDA version."""
    machine = describe_machine(CPU)

    assert (machine["device"], machine["device_name"], machine["cuda"]) == ("cpu", None, None)
    assert machine["torch_threads"] == torch.get_num_threads()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_memory_of_the_device_is_counted() -> None:
    """100 MB on the device are in its peak."""
    device = torch.device("cuda", 0)
    block = torch.ones(25_000_000, device=device)

    peak = peak_memory_mb(device)["device"]
    assert isinstance(peak, float)
    assert peak >= block.numel() * 4 / 1e6
    assert describe_machine(device)["device_name"]
