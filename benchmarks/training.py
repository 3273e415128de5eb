"""``sightline train`` beside open_clip's own trainer: same model, data, precision, first weights.

    pip install "webdataset<=0.2.86" braceexpand pandas    # what open_clip's trainer needs
    python -m benchmarks.training [--quick] [--device cuda] [--rounds N] [--only rates curve ...]

Rates are of real processes in turn, ours and theirs; the first steps of each are left out. Theirs
is run with 0, 1 and 2 worker processes in float32, and from then on with the fastest of them; ours
always has 1 thread. What we do once before the first step (decoding all pictures) is measured by
itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import training_steps as steps
from benchmarks import training_task as tasks
from benchmarks.training_runs import ROOT, Run, Work, run_ours, run_theirs, seconds_to_first_step
from benchmarks.training_task import Task, write_model, write_pairs
from core.pairs.reading import read_pairs
from core.progress import silent
from encoders.preprocessing import Preprocessing
from training.data.config import DataConfig
from training.data.pictures import pictures_in_memory

WORKERS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    sizes: tuple[Task, ...]
    """Models whose rates are compared."""
    rounds: int
    """Windows of each trainer."""
    workers: tuple[int, ...] = WORKERS
    """What open_clip's trainer may choose from."""
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    flags: tuple[tuple[str, ...], ...] = ((),)
    """Further flags that it may choose from."""
    device: str = "cpu"
    large_batch: int = 4096
    loss_rows: int = 8192
    curve_steps: int = 24


FULL = Plan(
    sizes=(
        Task("ViT-S-32, 224 px", tasks.VIT_S_32, batch=32, steps=6),
        Task("tiny ViT, 64 px", tasks.TINY, batch=64, steps=10),
    ),
    rounds=3,
)
QUICK = Plan(
    sizes=(Task("smoke, 32 px", tasks.SMOKE, batch=8, steps=5, picture=(64, 48)),),
    rounds=1,
    workers=(0,),
    precisions=("float32",),
    large_batch=128,
    loss_rows=512,
    curve_steps=6,
)
CUDA = Plan(
    sizes=(
        Task("ViT-B-32, 224 px", tasks.VIT_B_32, batch=1024, steps=12),
        Task("ViT-S-32, 224 px", tasks.VIT_S_32, batch=1024, steps=12),
    ),
    rounds=3,
    workers=(8, 14),
    precisions=("bfloat16",),
    flags=((), ("--torchcompile",)),
    device="cuda",
    large_batch=131_072,
    loss_rows=32_768,
)


def main() -> None:
    """Measure what was asked for and print one figure a line."""
    sections: dict[str, Callable[[Plan, Path], None]] = {
        "rates": print_rates,
        "curve": print_curve,
        "memory": print_memory,
        "loss": print_loss_cost,
        "resume": print_resume,
        "lit": print_lit,
        "gpu": print_gpu,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A smoke test of some minutes.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", nargs="+", choices=list(sections), default=list(sections))
    parser.add_argument("--rounds", type=int, help="Windows of each trainer.")
    arguments = parser.parse_args()
    plan = CUDA if arguments.device == "cuda" else QUICK if arguments.quick else FULL
    plan = dataclasses.replace(plan, rounds=arguments.rounds or plan.rounds)
    if plan.device == "cuda" and not torch.cuda.is_available():
        sys.exit("not run: there is no CUDA device")
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, Python {sys.version[:7]}")
    print(f"torch {torch.__version__}, device {plan.device}")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            sections[name](plan, Path(folder) / name)


def print_rates(plan: Plan, folder: Path) -> None:
    """Print samples/s of both trainers, process by process in turn."""
    for number, task in enumerate(plan.sizes):
        place = folder / str(number)
        work = prepared(task, place, plan)
        fill_s = seconds_to_decode(work.pairs, task)
        print(
            f"{task.name}: decoding once, 1 thread: {1000 * fill_s / task.pairs:.1f} ms a picture"
        )
        choices: list[Work] = [
            dataclasses.replace(work, workers=workers, flags=flags)
            for workers in plan.workers
            for flags in plan.flags
        ]
        for precision in plan.precisions:
            # The best choice of the first precision is kept for the others.
            choices = [print_pair_of_rates(task, work, choices, precision, plan.rounds)]


def print_pair_of_rates(
    task: Task, work: Work, choices: list[Work], precision: str, rounds: int
) -> Work:
    """Run both in turn, print the medians and return the choice with which theirs was fastest."""
    work = dataclasses.replace(work, precision=precision)
    choices = [dataclasses.replace(choice, precision=precision) for choice in choices]
    ours, first = [run_ours(work)], [run_theirs(choice) for choice in choices]
    best = max(range(len(first)), key=lambda number: first[number].rate)
    theirs = [first[best]]
    for _ in range(rounds - 1):
        ours.append(run_ours(work))
        theirs.append(run_theirs(choices[best]))
    ratio = median_rate(ours) / median_rate(theirs)
    print(
        f"{task.name}, {precision}, batch {work.batch}: ours {spread(ours)}, open_clip "
        f"{spread(theirs)} samples/s ({choices[best].workers} workers "
        f"{' '.join(choices[best].flags)}), ratio {ratio:.2f} ({verdict(ratio, 2.0)}); peak RSS "
        f"{ours[0].peak_mb:.0f} and {theirs[0].peak_mb:.0f} MB",
        flush=True,
    )
    return choices[best]


def print_curve(plan: Plan, folder: Path) -> None:
    """Print the greatest difference of the losses of both loops on the same batches."""
    del folder
    task = plan.sizes[-1]
    batch = min(task.batch, 64)
    ours, theirs = steps.both_losses(task.architecture, batch=batch, steps=plan.curve_steps)
    worst = max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True))
    print(
        f"{task.name}: loss of {len(ours)} steps in one process, from {ours[0]:.4f} to "
        f"{ours[-1]:.4f}, open_clip's {theirs[-1]:.4f}; greatest relative difference {worst:.1e} "
        f"({verdict(1e-4, worst)})",
        flush=True,
    )


def print_memory(plan: Plan, folder: Path) -> None:
    """Print the peak memory of a large batch in chunks of 64, over that of a batch of 64."""
    chunk = 64
    task = dataclasses.replace(plan.sizes[-1], picture=(64, 64))
    peaks = []
    for batch, count in ((plan.large_batch, 1), (chunk, 3)):
        sized = dataclasses.replace(task, batch=batch, steps=count)
        work = prepared(sized, folder / str(batch), plan, workers=0)
        flags = (f"--set=run.chunk_size={chunk}", "--set=data.cache=off")
        peaks.append(run_ours(dataclasses.replace(work, flags=flags)).peak_mb)
    large_mb, small_mb = peaks
    ratio = large_mb / small_mb
    print(
        f"{task.name}: peak RSS of batch {plan.large_batch} in chunks of {chunk} {large_mb:.0f} MB,"
        f" of batch {chunk} {small_mb:.0f} MB, ratio {ratio:.2f} ({verdict(1.2, ratio)})",
        flush=True,
    )


def print_loss_cost(plan: Plan, folder: Path) -> None:
    """Print memory and time of the loss alone, with gradients."""
    del folder
    rows, dim = plan.loss_rows, 512
    (ours_mb, ours_s), (their_mb, their_s) = (
        steps.loss_cost(which, count=rows, dim=dim) for which in ("ours", "theirs")
    )
    print(
        f"loss of {rows} pairs of {dim}: ours {ours_mb:.0f} MB and {ours_s:.2f} s, open_clip's "
        f"{their_mb:.0f} MB and {their_s:.2f} s, {their_mb / max(ours_mb, 1):.1f} times the memory",
        flush=True,
    )


def print_resume(plan: Plan, folder: Path) -> None:
    """Print the time from starting the process to its first step, at the start and on resuming."""
    task = dataclasses.replace(plan.sizes[-1], steps=2)
    work = dataclasses.replace(prepared(task, folder, plan), epochs=2)
    out = work.folder / "resumed"
    fresh_s = seconds_to_first_step(work, out, resume=False)
    for name in ("model", "checkpoints/step-00000004"):
        shutil.rmtree(out / name)
    resumed_s = seconds_to_first_step(work, out, resume=True)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import training.run"], check=True, cwd=ROOT)
    imports_s = time.perf_counter() - started
    print(
        f"{task.name}: process start to first logged step {fresh_s:.1f} s, on --resume "
        f"{resumed_s:.1f} s ({verdict(2, resumed_s)}), of which importing {imports_s:.1f} s",
        flush=True,
    )


def print_lit(plan: Plan, folder: Path) -> None:
    """Print samples/s with a locked image tower: ours from stored features, theirs computing it.

    Ours embeds all pictures before the first step, so every step is one of "epoch 2".
    """
    if plan is QUICK:
        tasks_of_lit = plan.sizes
    else:
        tasks_of_lit = (
            Task("ViT-S-32 locked, text of ViT-S-32", tasks.VIT_S_32, batch=32, steps=6),
            Task("ViT-B-16 locked, text of ViT-S-32", tasks.LOCKED_B_16, batch=16, steps=6),
        )
    ours_flags = (
        "--set=towers.image.mode=locked",
        "--set=data.features.cache=true",
        "--set=data.augmentation.enabled=false",
    )
    for number, task in enumerate(tasks_of_lit):
        work = prepared(task, folder / str(number), plan)
        ours = run_ours(dataclasses.replace(work, flags=ours_flags))
        theirs = run_theirs(dataclasses.replace(work, flags=("--lock-image",)))
        ratio = ours.rate / theirs.rate
        print(
            f"LiT, {task.name}, float32, batch {task.batch}: ours {ours.rate:.1f}, open_clip "
            f"{theirs.rate:.1f} samples/s, ratio {ratio:.1f} ({verdict(ratio, 20)})",
            flush=True,
        )


def print_gpu(plan: Plan, folder: Path) -> None:
    """Print rates and memory of synthetic steps on CUDA; on a CPU, that they were not run."""
    del folder
    if plan.device != "cuda":
        print("CUDA: not run; it needs a GPU and --device cuda")
        return
    for task in plan.sizes:
        (ours, _), (theirs, _) = (
            steps.gpu_step(task.architecture, batch=task.batch, chunk=0, ours=flag)
            for flag in (True, False)
        )
        print(
            f"{task.name}, synthetic, bfloat16, batch {task.batch}: ours {ours:.0f}, open_clip "
            f"{theirs:.0f} samples/s, ratio {ours / theirs:.2f} ({verdict(ours / theirs, 1.3)})"
        )
    rate, peak = steps.gpu_step(tasks.VIT_B_32, batch=plan.large_batch, chunk=2048, ours=True)
    print(
        f"ViT-B-32, batch {plan.large_batch} in chunks of 2048: {rate:.0f} samples/s, peak "
        f"{peak:.1f} GiB ({verdict(40, peak)})"
    )


def prepared(task: Task, folder: Path, plan: Plan, *, workers: int = 1) -> Work:
    """Write pairs and first weights of a task and return a run on them."""
    pairs = write_pairs(folder / "pairs", task.pairs, size=task.picture)
    model = write_model(folder / "model", task.architecture)
    (folder / "runs").mkdir()
    return Work(
        model=model,
        pairs=pairs,
        folder=folder / "runs",
        batch=task.batch,
        workers=workers,
        device=plan.device,
    )


def seconds_to_decode(pairs: Path, task: Task) -> float:
    """Return how long one thread decodes all pictures for the cache."""
    vision = task.architecture["vision_cfg"]
    assert isinstance(vision, dict)
    side = int(vision["image_size"] * DataConfig().decode_margin)
    started = time.perf_counter()
    pictures_in_memory(
        read_pairs(pairs), Preprocessing(image_size=side), workers=0, progress=silent
    )
    return time.perf_counter() - started


def median_rate(runs: list[Run]) -> float:
    """Return the median of samples/s."""
    return statistics.median(run.rate for run in runs)


def spread(runs: list[Run]) -> str:
    """Return the median rate with the least and the greatest."""
    rates = [run.rate for run in runs]
    return f"{median_rate(runs):.1f} ({min(rates):.1f}-{max(rates):.1f})"


def verdict(reached: float, aim: float) -> str:
    """Return whether what should be large is at least the aim."""
    return "reached" if reached >= aim else "lost"


if __name__ == "__main__":
    main()
