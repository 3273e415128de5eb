"""Labels of a running service, scored like those of this machine.

# N = images scored, C = classes
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cli.asked_labels import Asked, asked_label_set, asked_texts
from cli.evaluation_options import Reading
from core.errors import ImageError, NotFoundError, PairsError, UsageError
from core.pairs.pair import Pair

if TYPE_CHECKING:
    from core.types import IdArray, JSONObject
    from evaluation.classify import ClassifyOptions
    from evaluation.images import FailedImage
    from evaluation.predictions import Predictions
    from evaluation.report import Report
    from sightline.client import Client
    from sightline.label_answers import ClassifyAnswer, Labels
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
    label_set: str | None,
    wanted: tuple[Sequence[str | Label] | None, TemplateSet | None],
    options: ClassifyOptions,
) -> Report:
    """Send every image that has a class to the service, and score its answers.

    Args:
        data: the pairs.
        reading: how they are read.
        url: of the service.
        label_set: that the service holds: it answers with all that was fitted for it.
        wanted: labels (``None``: those of the pairs) and templates, instead.
        options: what to measure.

    Raises:
        PairsError: no image has a class.
        SightlineError: the service cannot be reached, or refuses the labels.
    """
    from cli.evaluation_data import is_embeddings, open_pairs
    from cli.evaluation_search import open_client
    from evaluation.classify import evaluate_predictions
    from evaluation.data_facts import data_facts, image_digests
    from evaluation.predictions import truths_of
    from evaluation.prompts import digest_of_labels
    from evaluation.provenance import data_digest, machine
    from evaluation.slices import check_field

    if is_embeddings(data):
        raise UsageError(f"{data}: a server embeds by itself; give it the pairs")
    pairs = open_pairs(data, reading)
    check_field(pairs, options.group_by)
    with open_client(url) as client:
        asked = asked_label_set(client, label_set) if label_set else asked_texts(pairs, wanted)
        truths = truths_of(pairs, asked.texts)
        encoder_id = client.gallery().encoder_id
        found = ask_labels(client, pairs, truths.classes, asked)
    return evaluate_predictions(
        found.predictions,
        options,
        facts={**data_facts(pairs, failed=found.failed, skipped=pairs.skipped), **truths.facts()},
        provenance=dataclasses.replace(
            machine(),
            encoder_id=encoder_id,
            data_digest=data_digest(pairs, image_digests([pair.image for pair in pairs])),
        ),
        label_digest=digest_of_labels(asked.labels),
        template_digest=asked.template_digest,
        settings={"url": url, **asked.settings, "group_by": options.group_by},
        details={} if label_set is None else {"served": found.served()},
    )


@dataclass(frozen=True, slots=True)
class ServedAnswers:
    """What the service said."""

    predictions: Predictions
    failed: list[FailedImage]
    """Images that got no answer."""
    head: JSONObject | None
    """Fitted head that labelled."""
    calibrated: int
    """Answers with fitted scores."""
    warnings: tuple[str, ...]

    def served(self) -> JSONObject:
        """Return what of the label set was in force, and which rules were silent how often."""
        silences = Counter(reason for reason in self.predictions.silences if reason)
        return {
            "head": self.head,
            "calibrated": self.calibrated == len(self.predictions.pairs),
            "no_label_because": dict(sorted(silences.items())),
            "warnings": [*self.warnings],
        }


def ask_labels(
    client: Client, pairs: Sequence[Pair], classes: Sequence[int | None], asked: Asked
) -> ServedAnswers:
    """Return the answers, one request an image, and the images that got none.

    Raises:
        PairsError: no image has a class, or none was answered.
    """
    from cli.progress import terminal_progress
    from encoders.decoding import read_image_file
    from evaluation.images import FailedImage

    kept: list[int] = []
    answers: list[ClassifyAnswer] = []
    times: list[float] = []
    failed: list[FailedImage] = []
    wanted = [place for place, own in enumerate(classes) if own is not None]
    with terminal_progress("classify", total=len(wanted), unit="images") as shown:
        for place in wanted:
            image = pairs[place].image
            try:
                data = read_image_file(image)
                started = time.perf_counter()
                answer = _asked_once(client, data, asked.request)
                times.append(_MS * (time.perf_counter() - started))
            except (ImageError, NotFoundError) as error:
                failed.append(FailedImage(place, image, error.code, str(error)))
            else:
                kept.append(place)
                answers.append(answer)
            shown.advance()
    if not kept:
        raise PairsError(f"none of {len(pairs)} pairs has a class and an image that was labelled")
    truth_N = np.array([classes[place] for place in kept], np.int64)
    return ServedAnswers(
        _predictions([pairs[place] for place in kept], truth_N, asked, answers, times),
        failed,
        head=answers[0].head,
        calibrated=sum(answer.results[0].calibrated for answer in answers),
        warnings=tuple(dict.fromkeys(text for answer in answers for text in answer.warnings)),
    )


def _asked_once(client: Client, data: bytes, request: LabelRequest) -> ClassifyAnswer:
    """Return the answer for one image.

    Raises:
        SightlineError: why the image was not labelled.
    """
    answer = client.classify_many([data], request)
    error = answer.results[0].error
    if error is not None:
        raise error
    return answer


def _predictions(
    pairs: Sequence[Pair],
    truth_N: IdArray,
    asked: Asked,
    answers: Sequence[ClassifyAnswer],
    times: Sequence[float],
) -> Predictions:
    from evaluation.predictions import Predictions

    column_of = {text: column for column, text in enumerate(asked.texts)}
    found = [answer.results[0] for answer in answers]
    rows = [_scores(labels, column_of) for labels in found]
    return Predictions(
        pairs=tuple(pairs),
        labels=asked.texts,
        truth_N=truth_N,
        logits_NC=np.array([order_C for _, order_C in rows], np.float64),
        probabilities_NC=np.array([scores_C for scores_C, _ in rows], np.float64),
        latencies_ms=tuple(times),
        silences=tuple(labels.reason for labels in found)
        if asked.request.label_set is not None
        else (),
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
