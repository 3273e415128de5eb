"""Labels in their prompts as vectors, each prompt kept, so that a classifier needs no model.

# C = labels, P = prompts, T = templates, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.artifacts import canonical_json, sha256_bytes
from core.types import FloatArray, IdArray, JSONValue
from encoders.encoder import Encoder
from evaluation.provenance import Provenance
from zeroshot.classifier import Classifier
from zeroshot.label_matrix import label_prompts, unit_rows
from zeroshot.labels import Label, check_label_list
from zeroshot.templates import DEFAULT_TEMPLATE_SET, TemplateSet, template_set


@dataclass(frozen=True, slots=True)
class Prompts:
    """Labels, and every prompt of each of them embedded."""

    labels: tuple[Label, ...]
    templates: TemplateSet
    prompts_PD: FloatArray
    """Unit vectors, label by label."""
    starts_C: IdArray
    """Row of each label's first prompt."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the names of the labels."""
        return tuple(label.text for label in self.labels)

    @property
    def label_digest(self) -> str:
        """Return the sha256 of the labels in their order, with all that describes them."""
        return digest_of_labels(self.labels)

    def by_template(self) -> FloatArray | None:
        """Return the prompts as (C, T, D); ``None`` where labels have prompts of their own."""
        count = len(self.templates.templates)
        if not all(label.plain for label in self.labels):
            return None
        if len(self.prompts_PD) != count * len(self.labels):
            return None
        return self.prompts_PD.reshape(len(self.labels), count, -1)

    def classifier(self, provenance: Provenance) -> Classifier:
        """Return the classifier that ``build_classifier`` makes of these labels, mode ``single``.

        ``provenance`` is of the vectors: encoder id, logit scale and bias.
        """
        sums_CD = np.add.reduceat(self.prompts_PD.astype(np.float64), self.starts_C, axis=0)
        return Classifier(
            labels=self.texts,
            matrix_CD=unit_rows(sums_CD).astype(np.float32),
            background_BD=np.empty((0, self.prompts_PD.shape[1]), np.float32),
            logit_scale=provenance.logit_scale or 1.0,
            logit_bias=provenance.logit_bias or 0.0,
            encoder_id=provenance.encoder_id or "",
            template_digest=self.templates.digest,
            background=frozenset(
                place for place, label in enumerate(self.labels) if label.background
            ),
        )


def digest_of_labels(labels: Sequence[Label]) -> str:
    """Return the sha256 of labels in their order, with all that describes them."""
    rows: list[JSONValue] = [
        [label.text, list(label.aliases), list(label.prompts), label.background] for label in labels
    ]
    return sha256_bytes(canonical_json(rows))


def embed_prompts(
    encoder: Encoder, labels: Sequence[str | Label], templates: TemplateSet | None = None
) -> Prompts:
    """Embed every prompt of every label.

    Raises:
        LabelSetError: the labels cannot be used.
        EncoderError: the model fails, or the prompts of a label cancel out.
    """
    templates = templates or template_set(DEFAULT_TEMPLATE_SET)
    checked = check_label_list(labels)
    prompts_PD, starts_C = label_prompts(encoder, checked, templates)
    return Prompts(checked, templates, prompts_PD, starts_C)
