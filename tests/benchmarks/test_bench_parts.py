"""What the parts of ``make bench`` make of their numbers, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import bulk, embedding
from benchmarks.bench_models import with_int8
from benchmarks.photographs import photographs, write_photographs
from encoders.machine import Machine
from encoders.runtime_table import RuntimeTable, Variant
from encoders.tower_plan import RuntimePlan, TowerPlan


def test_adding_is_held_against_the_whole_of_the_peer_and_against_its_loop() -> None:
    """Inference of 50 s and an index in 10 s: 3 times our 20 s; its loop alone took 1.5 times."""
    peer = bulk.Peer(inference_s=50.0, index_s=10.0, loop_s=30.0)
    whole, loop = bulk.rows(1000, {"tuned": [20.0]}, [peer], [])

    assert (whole.ratio, whole.is_met) == (3.0, True)
    assert (loop.ratio, loop.is_met) == (1.5, None)


def test_embedding_is_held_against_inference_alone() -> None:
    """Neither side builds an index."""
    peer = bulk.Peer(inference_s=50.0, index_s=10.0, loop_s=30.0)
    row, cosine = bulk.rows(1000, {"embed": [25.0]}, [peer], [0.9995])

    assert row.ratio == 2.0
    assert cosine.is_met


def test_vectors_of_both_sides_are_compared_whatever_their_length(tmp_path: Path) -> None:
    """Cosines of 1 and of 0.6, in parts that are read by their names."""
    for name, parts in (
        ("ours/img_emb", [[[1.0, 0.0]], [[0.6, 0.8]]]),
        ("theirs/embeddings/img_emb", [[[2.0, 0.0]], [[1.0, 0.0]]]),
    ):
        (tmp_path / name).mkdir(parents=True)
        for place, part in enumerate(parts):
            np.save(tmp_path / name / f"part_{place}.npy", np.array(part, np.float16))

    least = bulk.least_cosine(tmp_path / "ours", tmp_path / "theirs")

    assert abs(least - 0.6) < 1e-3


def test_each_precision_of_ours_is_a_row_with_its_own_aim() -> None:
    """The peer is no row."""
    found = {"float32": [2.0], "bfloat16": [4.0], embedding.PEER: [1.0]}
    rows = embedding.rows("many", found, unit="images/s", better="more", aims={"bfloat16": 5.0})

    assert [(row.what, row.ratio, row.is_met) for row in rows] == [
        ("many, float32", 2.0, None),
        ("many, bfloat16", 4.0, False),
    ]


def test_a_photograph_is_the_same_each_time_and_like_no_other(tmp_path: Path) -> None:
    """Both sides read the same bytes; no cache of pictures can help anyone."""
    made = dict(photographs([0, 1, 70], (64, 48)))
    again = dict(photographs([70, 1], (64, 48)))

    assert len(set(made.values())) == 3
    assert (made[70], made[1]) == (again[70], again[1])
    paths = write_photographs(tmp_path, 2, (64, 48))
    assert [path.read_bytes() for path in paths] == [made[0], made[1]]
    with Image.open(paths[0]) as image:
        assert image.size == (64, 48)


def test_photographs_that_are_there_are_kept(tmp_path: Path) -> None:
    """The second run makes only what is missing."""
    (first,) = write_photographs(tmp_path, 1, (64, 48))
    first.write_bytes(b"kept")
    write_photographs(tmp_path, 2, (64, 48))

    assert first.read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.jpg", "000001.jpg"]


def test_int8_runs_as_bfloat16_does_and_is_never_chosen_by_it() -> None:
    """Streams and sizes of bfloat16, text towers as they were; the gate's choice stays."""
    one, many = TowerPlan("bfloat16", chunk=1), TowerPlan("bfloat16", chunk=4, streams=2)
    short, plain = RuntimePlan(one, many, one, many), RuntimePlan(*[TowerPlan()] * 4)
    table = RuntimeTable(
        encoder_id="0" * 16,
        machine=Machine("cpu", "x86_64", 2, (), "1"),
        made_at="now",
        source="pairs",
        variants=(
            Variant("bfloat16", passed=True, reason="", fidelity=None, plan=short),
            Variant("int8", passed=False, reason="recall", fidelity=None, plan=None),
        ),
        chosen=plain,
    )
    forced = with_int8(table)
    plan = forced.plan_for("int8")

    assert plan is not None
    assert plan.images == TowerPlan("int8", chunk=4, streams=2)
    assert plan.texts == many
    assert forced.chosen == plain
    assert [row.precision for row in forced.variants] == ["bfloat16", "int8"]
