"""The model of ``make bench``: one ViT-B-32 of random weights for every side, made once and kept.

Speed does not depend on the weights. Fidelity does: int8 is chosen for a trained model by
``sightline models tune``, with its own pictures.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Row
from benchmarks.environments import FOLDER, ROOT
from core.errors import EncoderError
from core.types import PixelArray
from encoders.folder import ModelFolder, open_model_folder
from encoders.machine import this_machine
from encoders.openvino_runtime import import_openvino
from encoders.preprocessing import preprocess_bytes
from encoders.quantisation import quantise_image_tower
from encoders.runtime_table import RuntimeTable, Variant, read_runtime_table, write_tuned

PAIRS = ROOT / "examples" / "gallery" / "pairs.jsonl"
_PICTURES = 200
_PATIENCE_S = 900


def measure(plan: Plan) -> Iterator[Row]:
    """Make what is missing, before the first part needs it; yield why it cannot be made."""
    model_folders(plan.folder)
    try:
        int8_folder(plan.folder)
    except (RuntimeError, EncoderError) as error:
        yield Row("models", "runtimes as tuned", reason=f"not measured: {error}")


def model_folders(folder: Path = FOLDER) -> Path:
    """Return the folder with ``weights.pt`` for open_clip, ``sightline`` and ``hugging-face``.

    All hold the same numbers.

    Raises:
        RuntimeError: the models cannot be written.
    """
    models = folder / "models"
    if not (models / "hugging-face" / "tokenizer_config.json").is_file():
        shutil.rmtree(models, ignore_errors=True)
        models.mkdir(parents=True)
        _run([sys.executable, "-m", "benchmarks.service_model", str(models)])
    return models


def tuned_folder(folder: Path = FOLDER) -> Path:
    """Return the model folder as ``sightline models tune`` leaves it for this machine.

    Raises:
        RuntimeError: the model cannot be tuned.
    """
    models = model_folders(folder)
    tuned = models / "tuned"
    if not is_tuned_here(tuned):
        shutil.rmtree(tuned, ignore_errors=True)
        words = [sys.executable, "-m", "cli.main", "models", "tune", str(models / "sightline")]
        words += ["--pairs", str(PAIRS), "--limit", str(_PICTURES), "--rounds", "5"]
        _run([*words, "--out", str(tuned)])
    return tuned


def int8_folder(folder: Path = FOLDER) -> Path:
    """Return the tuned folder with an int8 tower, even where the gate did not let it in.

    Recall of random weights is chance, so whether int8 keeps it is chance too: here the speed is
    measured, of a tower that runs in the way that was the quickest for bfloat16.

    Raises:
        RuntimeError: the model cannot be tuned.
        EncoderError: NNCF is not installed, or cannot quantise the tower.
    """
    tuned = open_model_folder(tuned_folder(folder))
    if tuned.has_int8:
        return tuned.path
    forced = folder / "models" / "int8"
    if not is_tuned_here(forced):
        shutil.rmtree(forced, ignore_errors=True)
        table = read_runtime_table(tuned)
        assert table is not None
        with tempfile.TemporaryDirectory() as scratch:
            pixels_NSS3 = np.stack([*_pixels(tuned)])
            files = quantise_image_tower(tuned, pixels_NSS3, Path(scratch))
            write_tuned(tuned, forced, with_int8(table), int8=files)
    return forced


def with_int8(table: RuntimeTable) -> RuntimeTable:
    """Return a table whose int8 runs as bfloat16 does, or float32 where there is no bfloat16."""
    plan = table.plan_for("bfloat16") or table.chosen
    images = {
        name: dataclasses.replace(getattr(plan, name), precision="int8")
        for name in ("image", "images")
    }
    forced = Variant(
        precision="int8",
        passed=False,
        reason="random weights: quantised for its speed alone",
        fidelity=None,
        plan=dataclasses.replace(plan, **images),
    )
    others = tuple(row for row in table.variants if row.precision != "int8")
    return dataclasses.replace(table, variants=(*others, forced))


def _pixels(folder: ModelFolder) -> Iterator[PixelArray]:
    for text in PAIRS.read_text(encoding="utf-8").splitlines()[:_PICTURES]:
        data = (PAIRS.parent / json.loads(text)["image"]).read_bytes()
        yield preprocess_bytes(data, folder.spec.preprocessing)


def is_tuned_here(folder: Path) -> bool:
    """Return whether a model folder has a table of this machine."""
    if not folder.is_dir():
        return False
    table = read_runtime_table(open_model_folder(folder))
    return table is not None and table.machine == this_machine(import_openvino())


def _run(words: list[str]) -> None:
    done = subprocess.run(
        words,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=False,
    )
    if done.returncode:
        said = done.stdout.strip().splitlines() or ["without a word"]
        raise RuntimeError(f"{' '.join(words[2:5])} ended with {done.returncode}: {said[-1]}")


if __name__ == "__main__":
    run_part(measure, __doc__)
