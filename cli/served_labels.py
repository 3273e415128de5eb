"""``sightline classify --url``: images are read here, a server labels them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.labelling import Classified, ClassifyRequest
from cli.output import note
from cli.served_gallery import open_client
from core.errors import ImageError, SightlineError, UsageError
from sightline.client import Client
from sightline.label_answers import ClassifyAnswer, Labels
from sightline.label_calls import LabelRequest

if TYPE_CHECKING:
    from sightline.label_calls import Crops
    from zeroshot.abstention import Abstain

_BATCH = 16
"""Images of one request; with ten crops each it is still within what a server takes."""


def classify_there(url: str, request: ClassifyRequest, paths: Sequence[Path]) -> Classified:
    """Label files; the ones that cannot be read or decoded are named.

    Raises:
        SightlineError: the labels cannot be used, or the server cannot be reached.
    """
    asked = _label_request(request)
    found: dict[Path, Labels] = {}
    answers: list[ClassifyAnswer] = []
    with open_client(url) as client:
        for start in range(0, len(paths), _BATCH):
            answers += _label(client, asked, paths[start : start + _BATCH], found)
        model = answers[0].model if answers else client.gallery().encoder_id
    first = answers[0] if answers else None
    return Classified(
        model=model,
        label_set=None if first is None else first.label_set,
        head=None if first is None else first.head,
        warnings=() if first is None else first.warnings,
        results=tuple((path, found[path]) for path in paths),
    )


def _label(
    client: Client, asked: LabelRequest, paths: Sequence[Path], found: dict[Path, Labels]
) -> list[ClassifyAnswer]:
    """Put the labels of a few files into ``found`` and return the answer, if there is one."""
    read = _read(paths, found)
    if not read:
        return []
    try:
        answer = client.classify_many(list(read.values()), asked)
    except ImageError as error:
        if len(read) > 1:
            raise
        _fail(found, next(iter(read)), error)
        return []
    for path, labels in zip(read, answer.results, strict=True):
        found[path] = labels
        if labels.error is not None:
            _fail(found, path, labels.error)
    return [answer]


def _read(paths: Sequence[Path], found: dict[Path, Labels]) -> dict[Path, bytes]:
    from encoders.decoding import read_image_file

    read: dict[Path, bytes] = {}
    for path in paths:
        try:
            read[path] = read_image_file(path)
        except SightlineError as error:
            _fail(found, path, error)
    return read


def _fail(found: dict[Path, Labels], path: Path, error: SightlineError) -> None:
    note(f"{path}: {error}")
    found[path] = Labels(None, error=error)


def _label_request(request: ClassifyRequest) -> LabelRequest:
    if request.labels is not None and request.label_set is not None:
        raise UsageError("--labels and --label-set are both given; use one of them")
    if request.labels is None and request.label_set is None:
        raise UsageError("no labels; give --labels cat,dog or --label-set NAME")
    crops: dict[int, Crops] = {1: 1, 5: 5, 10: 10}
    return LabelRequest(
        labels=None if request.labels is None else request.labels.split(","),
        label_set=request.label_set,
        template_set=request.templates,
        mode=request.mode,
        top_k=request.top,
        abstain=None if request.abstain is None else _thresholds(request.abstain),
        temperature=request.temperature,
        ensemble=request.ensemble,
        crops=crops[request.crops],
        alpha=request.alpha,
        use_head=request.head,
    )


def _thresholds(rules: Abstain) -> dict[str, float]:
    given = {
        "min_score": rules.min_score,
        "min_margin": rules.min_margin,
        "min_cosine": rules.min_cosine,
        "max_energy": rules.max_energy,
    }
    return {name: value for name, value in given.items() if value is not None}
