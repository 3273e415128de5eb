"""Rules of encoders.runtime_table, and of how encoders.loading uses a table."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import pytest

from core.artifacts import sha256_bytes
from core.errors import ArtifactError, EncoderError, IntegrityError
from encoders.folder import ModelFolder, open_model_folder
from encoders.loading import load_encoder, runtime_plan
from encoders.machine import Machine, this_machine
from encoders.openvino_runtime import OpenVINOEncoder, import_openvino
from encoders.runtime_table import (
    Fidelity,
    RuntimeTable,
    Variant,
    read_runtime_table,
    table_json,
    write_tuned,
)
from encoders.tower_plan import Precision, RuntimePlan, TowerPlan, untuned_plan

FIDELITY = Fidelity(0.9999, 0.999, 0.9998, 0.998, 0.75, 0.7475, 0.75, 200, 400)
ELSEWHERE = Machine("another processor", "x86_64", 64, ("BF16", "FP32"), "2026.4")


def plan(precision: Precision, ms: float) -> RuntimePlan:
    """Return a plan of its own for each of the four uses."""
    return RuntimePlan(
        TowerPlan(precision, 1, fixed=True, threads=1, run_ms=ms),
        TowerPlan(precision, 4, fixed=True, streams=2, threads=2, pinned=False, run_ms=3 * ms),
        TowerPlan("float32", 1, threads=1, run_ms=ms),
        TowerPlan("float32", 16, streams=2, threads=2, run_ms=4 * ms),
    )


def table_for(folder: ModelFolder, machine: Machine | None = None) -> RuntimeTable:
    """Return a table in which float32 is measured and chosen, and int8 has failed."""
    return RuntimeTable(
        encoder_id=folder.encoder_id,
        machine=machine or this_machine(import_openvino()),
        made_at="2026-11-21T17:00:00+00:00",
        source="pairs.jsonl",
        variants=(
            Variant("float32", passed=True, reason="", fidelity=None, plan=plan("float32", 5.0)),
            Variant("int8", passed=False, reason="hit@10 falls", fidelity=FIDELITY, plan=None),
        ),
        chosen=plan("float32", 5.0),
    )


@pytest.fixture
def tuned(tiny_model: ModelFolder, tmp_path: Path) -> ModelFolder:
    """Return a copy of the tiny model that was tuned on this machine."""
    return write_tuned(tiny_model, tmp_path / "tuned", table_for(tiny_model), int8=None)


def rewritten(folder: ModelFolder, **fields: object) -> ModelFolder:
    """Change fields of ``runtime.json`` and its digest."""
    path = folder.path / "runtime.json"
    data = json.dumps({**json.loads(path.read_text()), **fields}).encode()
    path.write_bytes(data)
    manifest = json.loads((folder.path / "manifest.json").read_text())
    manifest["files"]["runtime.json"] = sha256_bytes(data)
    (folder.path / "manifest.json").write_text(json.dumps(manifest))
    return open_model_folder(folder.path)


def test_what_is_written_is_what_is_read(tuned: ModelFolder, tiny_model: ModelFolder) -> None:
    """To the last digit; the encoder id stays, so galleries go on to work."""
    assert read_runtime_table(tuned) == table_for(tiny_model)
    assert (tuned.encoder_id, tuned.spec) == (tiny_model.encoder_id, tiny_model.spec)
    assert read_runtime_table(tiny_model) is None


def test_tuning_again_replaces_the_table_and_the_tower(
    tuned: ModelFolder, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    """What an int8 tower of an earlier table was judged by is gone, so the tower goes too."""
    files = {name: tmp_path / name for name in ("image_int8.xml", "image_int8.bin")}
    for path in files.values():
        path.write_bytes(b"a tower")
    second = write_tuned(tuned, tmp_path / "second", table_for(tiny_model), int8=files)
    third = write_tuned(second, tmp_path / "third", table_for(tiny_model), int8=None)

    assert (tuned.has_int8, second.has_int8, third.has_int8) == (False, True, False)


def test_half_a_tower_is_refused(tiny_model: ModelFolder, tmp_path: Path) -> None:
    """Before anything is written."""
    (tmp_path / "image_int8.xml").write_bytes(b"a tower")
    half = {"image_int8.xml": tmp_path / "image_int8.xml"}

    with pytest.raises(ArtifactError, match=r"image_int8\.xml alone.*tune the model again"):
        write_tuned(tiny_model, tmp_path / "half", table_for(tiny_model), int8=half)


def test_a_table_of_another_encoder_is_refused(tuned: ModelFolder, tmp_path: Path) -> None:
    """When it is written, and when it is read."""
    other = dataclasses.replace(table_for(tuned), encoder_id="0" * 16)
    with pytest.raises(IntegrityError, match="for encoder 0000000000000000"):
        write_tuned(tuned, tmp_path / "other", other, int8=None)
    with pytest.raises(IntegrityError, match="was made for encoder 0000000000000000"):
        read_runtime_table(rewritten(tuned, encoder_id="0" * 16))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format_version": 2}, "format version 2; this release reads 1"),
        ({"variants": 3}, "expected a list.*tune the model again"),
        ({"chosen": {"image": {"chunk": 0}}}, "tune the model again"),
        ({"extra": 1}, "extra"),
    ],
)
def test_content_that_is_no_table_is_refused(
    tuned: ModelFolder, fields: dict[str, object], message: str
) -> None:
    """Another version, a wrong type, an impossible number, an unknown key."""
    with pytest.raises(ArtifactError, match=message):
        read_runtime_table(rewritten(tuned, **fields))


def test_the_choice_made_on_this_machine_is_used(tuned: ModelFolder) -> None:
    """Without being asked for; asking for the precision gives what was measured of it."""
    encoder = load_encoder(tuned.path)

    assert isinstance(encoder, OpenVINOEncoder)
    assert encoder.plan == runtime_plan(tuned, "float32") == plan("float32", 5.0)


def test_a_folder_that_was_not_tuned_runs_in_float32(tiny_model: ModelFolder) -> None:
    """As it always did."""
    assert runtime_plan(tiny_model) == untuned_plan("float32", text="float32")


def test_threads_of_the_caller_leave_only_the_precision(tuned: ModelFolder) -> None:
    """Streams were measured with all cores: they say nothing of fewer."""
    assert runtime_plan(tuned, threads=1) == untuned_plan("float32", threads=1)


def test_a_table_of_another_machine_is_named_and_not_used(
    tiny_model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """float32 runs everywhere; the log names both machines and the command that mends it."""
    folder = write_tuned(
        tiny_model, tmp_path / "moved", table_for(tiny_model, ELSEWHERE), int8=None
    )
    with caplog.at_level(logging.WARNING, logger="encoders.loading"):
        found = runtime_plan(folder)

    assert found == untuned_plan("float32")
    (record,) = caplog.records
    assert "tune the model here: sightline models tune" in record.getMessage()
    assert vars(record)["tuned_on"] == str(ELSEWHERE)


def test_int8_without_a_tower_is_an_error_with_the_remedy(tuned: ModelFolder) -> None:
    """It failed the gate, so it is not there; nothing else runs in its place."""
    with pytest.raises(EncoderError, match=r"has no image_int8\.xml.*sightline models tune"):
        load_encoder(tuned.path, precision="int8")


def test_an_unknown_precision_is_refused(tiny_model: ModelFolder) -> None:
    """The message lists the known ones."""
    with pytest.raises(EncoderError, match="'int4': expected auto, float32, bfloat16 or int8"):
        runtime_plan(tiny_model, "int4")  # type: ignore[arg-type]  # the mistake that is tested


def test_a_table_is_strict_json(tiny_model: ModelFolder) -> None:
    """Numbers, texts, lists and objects only; the gate's reason stands beside its figures."""
    printed = json.loads(json.dumps(table_json(table_for(tiny_model)), allow_nan=False))

    assert printed["variants"][1]["reason"] == "hit@10 falls"
    assert printed["chosen"]["images"]["streams"] == 2
