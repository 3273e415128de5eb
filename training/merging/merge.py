"""A whole merge: load the models, compare, combine, measure, write a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from safetensors.torch import save_file

from core.artifacts import new_artifact, write_json
from core.errors import ArtifactError, ConfigError
from core.progress import ProgressFactory, silent
from core.types import JSONObject
from encoders.folder import OPEN_CLIP_CONFIG_NAME, OPEN_CLIP_WEIGHTS_NAME
from encoders.open_clip_definition import NAME_KEY, OWN_KEY
from training.data.heldout import BestMetric
from training.data.prompts import resolve_templates
from training.devices import Device, choose_device
from training.merging.judging import MergeJudge
from training.merging.likeness import refuse_different
from training.merging.methods import (
    Load,
    Measure,
    Merged,
    greedy_soup,
    interpolation,
    uniform_soup,
)
from training.merging.sources import MergeModel, expanded, load_merge_model
from training.merging.weights import Weights, moved_statistics
from training.ranges import check_range
from training.run_export import FORMAT_VERSION, KIND

MergeMethod = Literal["interpolate", "uniform", "greedy"]

RECORD_NAME = "merge.json"
SWEEP = tuple(number / 10 for number in range(11))
"""Shares of the tuned model that are tried where validation pairs are given."""
_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """What is to be merged, how, and where to."""

    sources: tuple[str, ...]
    """See ``training.merging.sources``; for ``interpolate`` the base, then the tuned model."""
    target: Path
    """The new open_clip folder; it must not exist."""
    method: MergeMethod = "interpolate"
    """``interpolate`` two, or average many: all of them (``uniform``) or those that help."""
    alphas: tuple[float, ...] = ()
    """Shares of the tuned model to try, 0 to 1; empty tries 0, 0.1, ... 1."""
    val: Path | None = None
    """Pairs that decide."""
    keep: Path | None = None
    """Pairs of the kind that the base was good at, to see what is lost; they decide nothing."""
    metric: BestMetric = "mrr"
    """What decides: a mean over both directions, or the accuracy on the labels of the pairs."""
    templates: tuple[str, ...] = ()
    """Prompts of labels: the name of a template set, or texts with ``{}``; empty is the label."""
    batch_size: int = 256
    """Items embedded at once."""
    device: Device = "auto"
    """Where the measuring is done."""

    def __post_init__(self) -> None:
        """Refuse what cannot be merged or decided.

        Raises:
            ConfigError: too few sources, one twice, or nothing that decides.
        """
        check_range("batch_size", self.batch_size, low=1)
        resolve_templates(self.templates)
        for alpha in self.alphas:
            check_range("alpha", alpha, low=0, high=1)
        if self.keep is not None and self.val is None:
            raise ConfigError("keep pairs decide nothing alone; give val pairs too")
        if self.alphas and self.method != "interpolate":
            raise ConfigError(f"alpha is for the method interpolate, not for {self.method}")
        if self.method == "greedy" and self.val is None:
            raise ConfigError("the method greedy needs val pairs to decide which models help")
        if self.method == "interpolate" and self.val is None and len(self.alphas) != 1:
            raise ConfigError(
                "interpolation needs one alpha, for example 0.5, or val pairs to find the best"
            )


@dataclass(frozen=True, slots=True)
class MergeOutcome:
    """What a merge left behind."""

    target: Path
    """An open_clip ``local-dir:`` folder, with ``merge.json`` in it."""
    merged: Merged
    """The weights, what was measured, and the share of each source."""
    warnings: tuple[str, ...]
    """What the user should know."""
    skipped: dict[str, str]
    """Ids of pairs that could not be used, with the reason."""


def run_merge(request: MergeRequest, *, progress: ProgressFactory = silent) -> MergeOutcome:
    """Merge as asked and write the result.

    Raises:
        ConfigError: too few models, or one named twice.
        ConflictError: models that are not alike; the message names the first difference.
        EncoderError: a model that cannot be loaded.
        PairsError: pairs that cannot be used.
        ArtifactError: the target exists.
    """
    if request.target.exists():
        raise ArtifactError(f"{request.target} exists already; choose another --out")
    sources = _checked(expanded(request.sources), request.method)
    first = load_merge_model(sources[0])
    statistics = _moved_statistics(first, sources[1:])

    def load(source: str) -> Weights:
        return first.weights if source == sources[0] else load_merge_model(source).weights

    judge = _judge(request, sources[0], progress)
    merged = _merge(request, sources, load, judge.measure if judge else None)
    warnings = _warnings(statistics, judged=judge is not None)
    _write(request, first, merged, warnings)
    return MergeOutcome(request.target, merged, warnings, judge.skipped if judge else {})


def _checked(sources: Sequence[str], method: MergeMethod) -> list[str]:
    if len(sources) < _FEWEST:
        raise ConfigError(f"{len(sources)} model given; a merge needs at least {_FEWEST}")
    if method == "interpolate" and len(sources) != _FEWEST:
        raise ConfigError(
            f"{len(sources)} models given, but interpolation is between a base and a tuned one; "
            "use the method uniform or greedy"
        )
    repeated = next((source for source in sources if sources.count(source) > 1), None)
    if repeated is not None:
        raise ConfigError(f"{repeated} is given twice; name each model once")
    return list(sources)


def _moved_statistics(first: MergeModel, others: Sequence[str]) -> list[str]:
    """Refuse models that are not like the first before anything long is done with them.

    Each is let go again: memory need not hold them all.
    """
    moved: dict[str, None] = {}
    for source in others:
        other = load_merge_model(source)
        refuse_different(first, other)
        moved.update(dict.fromkeys(moved_statistics(first.weights, other.weights)))
    return list(moved)


def _judge(request: MergeRequest, source: str, progress: ProgressFactory) -> MergeJudge | None:
    """Return what measures, with a module of its own: the first model keeps its weights."""
    if request.val is None:
        return None
    return MergeJudge(
        load_merge_model(source),
        val=request.val,
        keep=request.keep,
        metric=request.metric,
        templates=request.templates,
        batch_size=request.batch_size,
        device=choose_device(request.device),
        progress=progress,
    )


def _merge(
    request: MergeRequest, sources: list[str], load: Load, measure: Measure | None
) -> Merged:
    if request.method == "uniform":
        return uniform_soup(sources, load, measure)
    if request.method == "greedy":
        assert measure is not None, "checked by the request"
        return greedy_soup(sources, load, measure)
    return interpolation(sources, load, request.alphas or SWEEP, measure)


def _warnings(statistics: list[str], *, judged: bool) -> tuple[str, ...]:
    if not statistics:
        return ()
    advice = "" if judged else "; measure the result with val pairs before you use it"
    warning = (
        f"{len(statistics)} running statistics of batch norm differ between the models (first "
        f"{statistics[0]}); their mean is not what the merged weights would give{advice}"
    )
    return (warning,)


def _write(
    request: MergeRequest, first: MergeModel, merged: Merged, warnings: tuple[str, ...]
) -> None:
    own = cast("JSONObject", first.model.config.get(OWN_KEY, {}))
    config: JSONObject = {
        **first.model.config,
        OWN_KEY: {**own, NAME_KEY: request.target.resolve().name},
    }
    with new_artifact(request.target, kind=KIND, format_version=FORMAT_VERSION) as folder:
        write_json(folder / OPEN_CLIP_CONFIG_NAME, config)
        save_file(merged.weights, folder / OPEN_CLIP_WEIGHTS_NAME, metadata={"format": "pt"})
        # A Hugging Face tokenizer has files; open_clip's own is part of its package.
        inner = getattr(first.model.tokenizer, "tokenizer", None)
        save = getattr(inner, "save_pretrained", None)
        if save is not None:
            save(str(folder))
        write_json(folder / RECORD_NAME, record(request, merged, warnings))


def record(request: MergeRequest, merged: Merged, warnings: Sequence[str]) -> JSONObject:
    """Return how a merge came about, as ``merge.json`` holds it."""
    trials = [dataclasses.asdict(trial) for trial in merged.trials]
    return {
        "method": request.method,
        "parts": dict(merged.parts),
        "metric": request.metric,
        "val": str(request.val) if request.val else None,
        "keep": str(request.keep) if request.keep else None,
        "trials": list(trials),
        "warnings": list(warnings),
    }
