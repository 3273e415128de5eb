"""The tiled loss beside open_clip's: time and peak memory of forward and backward, by tile size.

    OMP_NUM_THREADS=1 python benchmarks/loss.py [--kind softmax|sigmoid] [--pairs 8192] [--rounds 2]

All variants get the same random embeddings in turn, in one process on one thread; a ratio is the
median over the rounds of the ratios within a round. Peak memory is the growth of the process's
resident set during a variant (Linux with glibc), embeddings and gradients included.

# N = pairs, D = embedding dimension
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
from open_clip.loss import SigLipLoss
from torch import Tensor
from torch.nn.functional import normalize

from training.losses.config import LossConfig, LossKind
from training.losses.contrastive import ContrastiveLoss
from training.world import World

BASELINE = "open_clip"
TILES = (64, 256, 512, 2048)

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def main() -> None:
    """Measure and print one variant a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["softmax", "sigmoid"], default="softmax")
    parser.add_argument("--pairs", type=int, default=8192)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"machine: {platform.machine()}, {platform.platform()}, torch {torch.__version__}")
    print(f"{arguments.kind}, {arguments.pairs} pairs, {arguments.dim} dimensions, float32")
    variants = {BASELINE: open_clip_loss(arguments.kind)}
    variants |= {f"tile_rows {rows}": our_loss(arguments.kind, rows) for rows in TILES}
    generator = torch.Generator().manual_seed(0)
    both_2ND = torch.randn(2, arguments.pairs, arguments.dim, generator=generator)
    results = {name: list[tuple[float, float]]() for name in variants}
    for _ in range(arguments.rounds):
        for name, loss in variants.items():
            results[name].append(measured(loss, both_2ND))
    for name, figures in results.items():
        print_line(name, figures, results[BASELINE])


def print_line(
    name: str, figures: list[tuple[float, float]], baseline: list[tuple[float, float]]
) -> None:
    """Print medians of time and memory, and of their ratios to the baseline."""
    seconds, mb = (statistics.median(values) for values in zip(*figures, strict=True))
    pairs = list(zip(figures, baseline, strict=True))
    time_ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in pairs)
    mb_ratio = statistics.median(ours[1] / theirs[1] for ours, theirs in pairs)
    print(f"{name:15} {seconds:6.2f} s  x{time_ratio:.2f}   {mb:7.0f} MB  x{mb_ratio:.3f}")


def our_loss(kind: LossKind, tile_rows: int) -> Loss:
    """Return the tiled loss."""
    loss = ContrastiveLoss(LossConfig(kind=kind, tile_rows=tile_rows), World.single())
    return lambda images, texts, scale, bias: loss(images, texts, scale, logit_bias=bias)


def open_clip_loss(kind: LossKind) -> Loss:
    """Return open_clip's loss behind the same normalisation."""
    if kind == "softmax":
        clip = open_clip.ClipLoss()
        return lambda images, texts, scale, _: clip(normalize(images), normalize(texts), scale)
    sigmoid = SigLipLoss()
    return lambda images, texts, scale, bias: sigmoid(
        normalize(images), normalize(texts), scale, bias
    )


def measured(loss: Loss, both_2ND: Tensor) -> tuple[float, float]:
    """Return seconds and MB of one forward and backward pass."""
    leaves = [*both_2ND.unbind(), torch.tensor(50.0), torch.tensor(-10.0)]
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    before_mb = forget_peak()
    start = time.perf_counter()
    loss(leaves[0], leaves[1], leaves[2], leaves[3]).backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start, memory_mb("VmHWM") - before_mb


def forget_peak() -> float:
    """Give free memory back, let the peak of the resident set start anew, and return it in MB."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mb("VmRSS")


def memory_mb(field: str) -> float:
    """Return a size of this process in MB (10^6 bytes), as Linux counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main()
