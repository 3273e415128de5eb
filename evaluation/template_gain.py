"""What each prompt template is worth, and which few would do.

# N = images, C = classes, T = templates, D = embedding dimension
"""

from __future__ import annotations

import numpy as np

from core.errors import UsageError
from core.types import FloatArray, IdArray, JSONObject
from evaluation.embeddings import Embeddings
from evaluation.predictions import truths_of
from evaluation.prompts import Prompts
from zeroshot.template_selection import ablate_templates, select_templates


def template_gain(test: Embeddings, prompts: Prompts, validation: Embeddings | None) -> JSONObject:
    """Return the accuracy of each template alone and of all but it, on the test.

    With validation pairs also a forward selection: chosen on them, and scored on the test.

    Raises:
        UsageError: labels have prompts of their own, to which templates mean nothing.
    """
    embeddings_CTD = prompts.by_template()
    if embeddings_CTD is None:
        raise UsageError(
            "labels with aliases or prompts of their own have no accuracy by template; leave "
            "--ablate-templates out, or name plain labels",
            param="ablate_templates",
        )
    images_ND, truth_N = _labelled(test, prompts)
    found = ablate_templates(embeddings_CTD, images_ND, truth_N, templates=prompts.templates)
    details: JSONObject = {
        "templates_alone": [
            {"template": template, "accuracy": alone, "accuracy_without": without}
            for template, alone, without in zip(
                found.templates, found.alone, found.without, strict=True
            )
        ]
    }
    if validation is not None:
        details["templates_selected"] = _selected(embeddings_CTD, prompts, validation, test)
    return details


def _selected(
    embeddings_CTD: FloatArray, prompts: Prompts, validation: Embeddings, test: Embeddings
) -> JSONObject:
    images_ND, truth_N = _labelled(validation, prompts)
    steps = select_templates(embeddings_CTD, images_ND, truth_N, templates=prompts.templates)
    places = [prompts.templates.templates.index(step.template) for step in steps]
    sum_CD = embeddings_CTD[:, places].sum(axis=1)
    images_ND, truth_N = _labelled(test, prompts)
    norms_C1 = np.linalg.norm(sum_CD, axis=1, keepdims=True)
    right_N = np.argmax(images_ND @ (sum_CD / norms_C1).T, axis=1) == truth_N
    return {
        "steps": [{"template": step.template, "validation": step.accuracy} for step in steps],
        "accuracy": float(right_N.mean()),
    }


def _labelled(embeddings: Embeddings, prompts: Prompts) -> tuple[FloatArray, IdArray]:
    """Return the images that have a class, and their classes."""
    classes = truths_of(embeddings.pairs, prompts.texts).classes
    places = embeddings.images.places_G
    rows = [row for row, place in enumerate(places) if classes[place] is not None]
    truth_N = np.array([classes[places[row]] for row in rows], np.int64)
    return embeddings.images.embeddings_GD[rows], truth_N
