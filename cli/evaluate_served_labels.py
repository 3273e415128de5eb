"""Labels of a running service, scored like those of this machine.

# N = images scored, C = classes
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cli.evaluation_options import Reading
from core.errors import ImageError, NotFoundError, PairsError, UsageError
from core.pairs.pair import Pair

if TYPE_CHECKING:
    from evaluation.classify import ClassifyOptions
    from evaluation.images import FailedImage
    from evaluation.predictions import Predictions
    from evaluation.report import Report
    from sightline.client import Client
    from sightline.label_answers import Labels
    from sightline.label_calls import LabelRequest
    from zeroshot.labels import Label
    from zeroshot.templates import TemplateSet

_MS = 1000.0
_LEAST_SCORE = 1e-45
"""A score of 0 is one that float32 has no number for: it is below its least."""


def served_report(
    data: Path,
    reading: Reading,
    url: str,
    *,
    labels: Sequence[str | Label] | None,
    templates: TemplateSet | None,
    options: ClassifyOptions,
) -> Report:
    """Send every image that has a class to the service, and score its answers.

    Raises:
        PairsError: no image has a class.
        SightlineError: the service cannot be reached, or refuses the labels.
    """
    from cli.evaluation_data import is_embeddings, open_pairs
    from cli.evaluation_search import open_client
    from core.artifacts import canonical_json, sha256_bytes
    from evaluation.classify import evaluate_predictions
    from evaluation.data_facts import data_facts, image_digests
    from evaluation.predictions import labels_of, truths_of
    from evaluation.provenance import data_digest, machine
    from evaluation.slices import check_field
    from sightline.label_calls import LabelRequest
    from zeroshot.templates import CUSTOM_NAME

    if is_embeddings(data):
        raise UsageError(f"{data}: a server embeds by itself; give it the pairs")
    pairs = open_pairs(data, reading)
    check_field(pairs, options.group_by)
    texts = tuple(labels_of(pairs) if labels is None else map(_text, labels))
    own = templates is not None and templates.name == CUSTOM_NAME
    request = LabelRequest(
        labels=texts,
        templates=templates.templates if templates is not None and own else None,
        template_set=templates.name if templates is not None and not own else None,
        top_k=len(texts),
    )
    truths = truths_of(pairs, texts)
    with open_client(url) as client:
        encoder_id = client.gallery().encoder_id
        predictions, failed = ask_labels(client, pairs, truths.classes, request, texts)
    rows: list[object] = [[text, [], [], False] for text in texts]
    return evaluate_predictions(
        predictions,
        options,
        facts={**data_facts(pairs, failed=failed, skipped=pairs.skipped), **truths.facts()},
        provenance=dataclasses.replace(
            machine(),
            encoder_id=encoder_id,
            data_digest=data_digest(pairs, image_digests([pair.image for pair in pairs])),
        ),
        label_digest=sha256_bytes(canonical_json(rows)),  # type: ignore[arg-type]  # plain JSON
        template_digest=None if templates is None else templates.digest,
        settings={
            "url": url,
            "template_set": None if templates is None else templates.name,
            "group_by": options.group_by,
        },
    )


def ask_labels(
    client: Client,
    pairs: Sequence[Pair],
    classes: Sequence[int | None],
    request: LabelRequest,
    texts: Sequence[str],
) -> tuple[Predictions, list[FailedImage]]:
    """Return the answers, one request an image, and the images that got none.

    Raises:
        PairsError: no image has a class, or none was answered.
    """
    from cli.progress import terminal_progress
    from encoders.decoding import read_image_file
    from evaluation.images import FailedImage
    from evaluation.predictions import Predictions

    column_of = {text: column for column, text in enumerate(texts)}
    kept: list[int] = []
    rows: list[tuple[list[float], list[float]]] = []
    times: list[float] = []
    failed: list[FailedImage] = []
    wanted = [place for place, own in enumerate(classes) if own is not None]
    with terminal_progress("classify", total=len(wanted), unit="images") as shown:
        for place in wanted:
            image = pairs[place].image
            try:
                data = read_image_file(image)
                started = time.perf_counter()
                answer = client.classify(data, request)
                times.append(_MS * (time.perf_counter() - started))
            except (ImageError, NotFoundError) as error:
                failed.append(FailedImage(place, image, error.code, str(error)))
            else:
                kept.append(place)
                rows.append(_scores(answer, column_of))
            shown.advance()
    if not kept:
        raise PairsError(f"none of {len(pairs)} pairs has a class and an image that was labelled")
    return (
        Predictions(
            pairs=tuple(pairs[place] for place in kept),
            labels=tuple(texts),
            truth_N=np.array([classes[place] for place in kept], np.int64),
            logits_NC=np.array([order_C for _, order_C in rows], np.float64),
            probabilities_NC=np.array([scores_C for scores_C, _ in rows], np.float64),
            latencies_ms=tuple(times),
        ),
        failed,
    )


def _scores(answer: Labels, column_of: Mapping[str, int]) -> tuple[list[float], list[float]]:
    """Return the probability of each class, and a number whose order is that of the answer.

    Probabilities run out of digits where one label is sure; the order of the answer does not.
    """
    scores_C, order_C = [0.0] * len(column_of), [0.0] * len(column_of)
    for place, item in enumerate(answer.labels):
        scores_C[column_of[item.label]] = item.score or _LEAST_SCORE
        order_C[column_of[item.label]] = float(len(column_of) - place)
    return scores_C, order_C


def _text(label: str | Label) -> str:
    return label if isinstance(label, str) else label.text
