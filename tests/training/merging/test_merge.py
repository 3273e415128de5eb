"""Rules of training.merging.merge: from named models to a folder that open_clip loads."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from core.errors import ArtifactError, ConfigError, ConflictError
from encoders.open_clip_source import load_open_clip
from tests.training.merging.models import changed, tiny
from tests.training.tiny import write_shapes
from training.merging.merge import MergeMethod, MergeRequest, run_merge

pytestmark = pytest.mark.slow

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three models of one architecture and some pairs."""
    folder = tmp_path_factory.mktemp("merge")
    for seed, name in enumerate(("a", "b", "c")):
        tiny(folder / name, seed=seed)
    write_shapes(folder / "val", per_kind=1, seed=1, size=16)
    write_shapes(folder / "keep", per_kind=1, seed=2, size=16)
    return folder


def request(world: Path, target: Path, **settings: object) -> MergeRequest:
    """Return a request for the models a and b, on the CPU."""
    fields = {
        "sources": (str(world / "a"), str(world / "b")),
        "target": target,
        "device": "cpu",
        **settings,
    }
    return MergeRequest(**fields)


def test_the_midpoint_is_written_as_a_folder_of_open_clip(world: Path, tmp_path: Path) -> None:
    """open_clip loads it bit for bit, and every tensor is the mean of the two."""
    outcome = run_merge(request(world, tmp_path / "out", alphas=(0.5,)))

    first, second = (load_file(world / name / WEIGHTS) for name in ("a", "b"))
    loaded = open_clip.create_model(
        f"local-dir:{outcome.target}", pretrained_text=False, force_image_size=16
    ).state_dict()
    assert loaded.keys() == first.keys()
    for name, value in loaded.items():
        expected = (0.5 * first[name].double() + 0.5 * second[name].double()).float()
        assert torch.equal(value, expected)
    spec = load_open_clip(str(outcome.target)).spec
    assert (spec.preprocessing.image_size, spec.name) == (16, "out")


def test_the_record_says_how_it_came_about(world: Path, tmp_path: Path) -> None:
    """merge.json holds method, shares and everything that was measured."""
    outcome = run_merge(
        request(world, tmp_path / "out", val=world / "val" / "pairs.jsonl", alphas=(0, 1))
    )

    fields = json.loads((outcome.target / "merge.json").read_text())
    assert fields["method"] == "interpolate"
    assert sum(fields["parts"].values()) == 1
    assert [trial["name"] for trial in fields["trials"]] == ["0", "1"]
    assert fields["trials"][0]["score"]["metrics"]["mean_mrr"] > 0


@pytest.mark.slow
def test_a_sweep_writes_its_best_and_measures_what_is_kept(world: Path, tmp_path: Path) -> None:
    """Alpha 0 and 1 of the sweep measure what the two models reach alone."""
    val, keep = world / "val" / "pairs.jsonl", world / "keep" / "pairs.jsonl"
    sweep = run_merge(request(world, tmp_path / "out", val=val, keep=keep, batch_size=4))

    trials = {trial.name: trial for trial in sweep.merged.trials}
    assert list(trials) == ["0", *(f"0.{n}" for n in range(1, 10)), "1"]
    best = max(trial.score.value for trial in trials.values())
    (chosen,) = (trial for trial in trials.values() if trial.chosen)
    assert chosen.score.value == best
    assert all("mean_mrr" in trial.score.kept for trial in trials.values())
    alone = run_merge(
        request(world, tmp_path / "b", sources=(str(world / "b"), str(world / "a")), val=val)
    )
    ends = {trial.name: trial.score.metrics for trial in alone.merged.trials}
    assert ends["0"] == trials["1"].score.metrics
    assert ends["1"] == trials["0"].score.metrics


@pytest.mark.slow
def test_a_greedy_soup_is_never_worse_than_the_best_single_model(
    world: Path, tmp_path: Path
) -> None:
    """Measured again from what was written."""
    val = world / "val" / "pairs.jsonl"
    sources = tuple(str(world / name) for name in ("a", "b", "c"))
    soup = run_merge(request(world, tmp_path / "soup", sources=sources, val=val, method="greedy"))
    singles = run_merge(request(world, tmp_path / "x", sources=sources, val=val, method="uniform"))

    best = max(trial.score.value for trial in singles.merged.trials[:3])
    again = run_merge(
        request(
            world, tmp_path / "again", sources=(str(soup.target), sources[0]), val=val, alphas=(0,)
        )
    )
    assert again.merged.trials[0].score.value >= best
    assert again.merged.trials[0].score.value == max(
        trial.score.value for trial in soup.merged.trials if trial.chosen
    )


@pytest.mark.slow
def test_labels_may_decide(world: Path, tmp_path: Path) -> None:
    """Pictures in a folder a class: the accuracy on their names, with prompts, picks the alpha."""
    for file in (world / "val").glob("*.png"):
        folder = tmp_path / "classes" / file.name.split("-")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.read_bytes())
    classes = tmp_path / "classes"

    outcome = run_merge(
        request(
            world,
            tmp_path / "out",
            val=classes,
            alphas=(0, 0.5, 1),
            metric="zero_shot_accuracy",
            templates=("a {}", "one {}"),
        )
    )

    values = [trial.score.metrics["zero_shot_accuracy"] for trial in outcome.merged.trials]
    assert [trial.score.value for trial in outcome.merged.trials] == values
    assert outcome.merged.trials[values.index(max(values))].chosen


def test_labels_that_are_not_there_cannot_decide(world: Path, tmp_path: Path) -> None:
    """Captions alone name no class."""
    with pytest.raises(ConfigError, match="fewer than two labels"):
        run_merge(
            request(
                world,
                tmp_path / "out",
                val=world / "val" / "pairs.jsonl",
                metric="zero_shot_accuracy",
            )
        )


def test_another_architecture_is_refused_and_nothing_is_written(
    world: Path, tmp_path: Path
) -> None:
    """Both models and the first difference are named."""
    other = tiny(tmp_path / "other", config=changed(text__layers=2))

    with pytest.raises(ConflictError, match=r"other cannot be merged with .*a: text_cfg.layers"):
        run_merge(
            request(world, tmp_path / "out", sources=(str(world / "a"), str(other)), alphas=(0.5,))
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_statistics_of_batch_norm_are_averaged_with_a_warning(tmp_path: Path) -> None:
    """They may be far from what the merged weights would give."""
    config = changed(vision__layers=[1, 1, 1, 1], vision__width=8, vision__image_size=32)
    del config["vision_cfg"]["patch_size"]
    sources = [tiny(tmp_path / name, config=config) for name in ("a", "b")]
    tensors = load_file(sources[1] / WEIGHTS)
    tensors["visual.bn1.running_mean"] += 2
    from safetensors.torch import save_file

    save_file(tensors, sources[1] / WEIGHTS)

    outcome = run_merge(
        MergeRequest(
            sources=tuple(map(str, sources)), target=tmp_path / "out", alphas=(0.5,), device="cpu"
        )
    )

    (warning,) = outcome.warnings
    assert "1 running statistics" in warning
    assert "visual.bn1.running_mean" in warning
    written = load_file(outcome.target / WEIGHTS)
    assert torch.equal(written["visual.bn1.running_mean"], torch.ones(8 // 2))


def test_an_existing_target_is_refused_before_anything_is_loaded(
    world: Path, tmp_path: Path
) -> None:
    """No work is done for nothing."""
    with pytest.raises(ArtifactError, match="exists already"):
        run_merge(request(world, tmp_path, sources=("no-such", "model"), alphas=(0.5,)))


@pytest.mark.parametrize(
    ("method", "names", "message"),
    [
        ("interpolate", ("a",), "at least 2"),
        ("interpolate", ("a", "b", "c"), "use the method uniform or greedy"),
        ("uniform", ("a", "b", "a"), "given twice"),
    ],
)
def test_impossible_numbers_of_models_are_refused(
    world: Path, tmp_path: Path, method: MergeMethod, names: tuple[str, ...], message: str
) -> None:
    """With the way out."""
    sources = tuple(str(world / name) for name in names)
    alphas = (0.5,) if method == "interpolate" else ()

    with pytest.raises(ConfigError, match=message):
        run_merge(request(world, tmp_path / "out", sources=sources, method=method, alphas=alphas))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs one alpha"),
        ({"alphas": (0.1, 0.2)}, "needs one alpha"),
        ({"alphas": (1.5,)}, "between 0 and 1"),
        ({"method": "greedy"}, "needs val pairs"),
        ({"method": "uniform", "alphas": (0.5,)}, "alpha is for"),
        ({"alphas": (0.5,), "keep": Path("x")}, "give val pairs too"),
    ],
)
def test_requests_that_decide_nothing_are_refused(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    """Before any file is opened."""
    with pytest.raises(ConfigError, match=message):
        request(tmp_path, tmp_path / "out", **settings)
