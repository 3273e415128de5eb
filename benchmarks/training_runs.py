"""Both trainers as processes: how they are started, and what their logs say of each step."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
WARM_UP_STEPS = 2
"""Left out of every rate: the first steps wait for workers, memory and caches."""
_STEP = re.compile(r"Batch \(t\): ([\d.]+),.*Loss: ([\d.]+) \(")
_PRECISIONS = {"float32": "fp32", "bfloat16": "amp_bf16"}
_DEADLINE_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One run of a trainer."""

    model: str
    """What ``training_task.write_model`` gave."""
    pairs: Path
    """What ``training_task.write_pairs`` gave."""
    folder: Path
    """Of runs; each makes one of its own in it."""
    batch: int
    precision: str = "float32"
    workers: int = 1
    device: str = "cpu"
    epochs: int = 1
    flags: tuple[str, ...] = ()
    """More arguments of the trainer that is run."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a process left behind."""

    seconds: list[float]
    """Of every step."""
    losses: list[float]
    peak_mb: float
    """Most memory that it had resident, in MB (10^6 bytes); without its worker processes."""
    batch: int
    log: str = field(repr=False)

    @property
    def rate(self) -> float:
        """Return samples/s of the steps behind the warm-up."""
        timed = self.seconds[WARM_UP_STEPS:]
        return self.batch * len(timed) / sum(timed)


def run_ours(work: Work, *, resume: Path | None = None) -> Run:
    """Run ``sightline train``."""
    out = resume or fresh(work.folder)
    log, peak_mb = finished(our_command(work, out, resume=resume is not None))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    steps = [line for line in lines if line["kind"] == "train"]
    run = Run(
        seconds=[work.batch / step["samples_per_s"] for step in steps],
        losses=[step["loss"] for step in steps],
        peak_mb=peak_mb,
        batch=work.batch,
        log=log,
    )
    if "--keep" not in work.flags:
        shutil.rmtree(out)
    return run


def our_command(work: Work, out: Path, *, resume: bool) -> list[str]:
    """Return the command of ``sightline train`` with the settings of the peer."""
    recipe = work.folder / "recipe.toml"
    recipe.write_text("", encoding="utf-8")
    settings = {
        "model.name": work.model,
        "data.batch_size": work.batch,
        "data.workers": work.workers,
        "data.cache": "memory",
        "schedule.epochs": work.epochs,
        "run.precision": work.precision,
        "run.device": work.device,
        "run.log_every_steps": 1,
    }
    flags = [flag for flag in work.flags if flag != "--keep"]
    sets = [f"--set={key}={value}" for key, value in settings.items()]
    command = [sys.executable, "-m", "cli.main", "train", str(work.pairs), "--config", str(recipe)]
    return [*command, "--out", str(out), *sets, *flags, *(["--resume"] if resume else [])]


def run_theirs(work: Work) -> Run:
    """Run the trainer that ships with open_clip, on its own CSV data set."""
    out = fresh(work.folder)
    arguments = {
        "model": work.model,
        "train-data": work.pairs,
        "dataset-type": "csv",
        "csv-separator": ",",
        "batch-size": work.batch,
        "epochs": work.epochs,
        "workers": work.workers,
        "precision": _PRECISIONS[work.precision],
        "device": work.device,
        "lr": 5e-4,
        "wd": 0.2,
        "grad-clip-norm": 1.0,
        "warmup": 1,
        "log-every-n-steps": 1,
        "save-frequency": 0,
        "logs": out,
        "name": "run",
    }
    flags = [f"--{name}={value}" for name, value in arguments.items()]
    command = [sys.executable, "-m", "open_clip_train.main", *flags, *work.flags]
    log, peak_mb = finished(command)
    steps = [(float(seconds), float(loss)) for seconds, loss in _STEP.findall(log)]
    if len(steps) <= WARM_UP_STEPS:
        raise RuntimeError(f"the log of open_clip's trainer has no steps:\n{log[-3000:]}")
    shutil.rmtree(out)
    return Run([s for s, _ in steps], [loss for _, loss in steps], peak_mb, work.batch, log)


def seconds_to_first_step(work: Work, out: Path, *, resume: bool) -> float:
    """Return the time from starting ``sightline train`` to the first line of its log."""
    metrics = out / "metrics.jsonl"
    before = metrics.stat().st_size if metrics.exists() else 0
    started = time.perf_counter()
    process = subprocess.Popen(
        our_command(work, out, resume=resume),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (metrics.exists() and metrics.stat().st_size > before):
        if process.poll() is not None or time.perf_counter() - started > _DEADLINE_S:
            process.kill()
            raise RuntimeError(f"no step was logged; the process ended with {process.poll()}")
        time.sleep(0.01)
    seconds = time.perf_counter() - started
    if process.wait(_DEADLINE_S):
        raise RuntimeError(f"the run ended with code {process.returncode}")
    return seconds


def fresh(folder: Path) -> Path:
    """Return a path in a folder that no run has yet."""
    return folder / f"run-{time.monotonic_ns()}"


def finished(command: list[str]) -> tuple[str, float]:
    """Run a command to its end; return what it printed, and its peak memory in MB."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TQDM_DISABLE": "1"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None, "piped above"
    log = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[2]} ended with {process.returncode}:\n{log[-3000:]}")
    return log, usage.ru_maxrss * 1024 / 1e6
