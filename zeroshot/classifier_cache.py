"""The classifiers used last, each built once however many ask for it at the same moment.

# B = background words, D = embedding dimension
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ConfigError
from core.types import FloatArray
from encoders.encoder import Encoder
from zeroshot.classifier import Classifier, Ensemble, build_classifier
from zeroshot.labels import Label, check_label_list
from zeroshot.templates import TemplateSet

DEFAULT_CLASSIFIERS = 32
"""With 1000 labels and 768 dimensions each takes 3 MB."""


@dataclass(frozen=True, slots=True)
class _Key:
    """What a classifier is made of."""

    encoder_id: str
    labels: tuple[Label, ...]
    template_digest: str
    ensemble: Ensemble


class ClassifierCache:
    """The classifiers used last. Any thread may call it; one classifier is built only once."""

    def __init__(self, max_classifiers: int = DEFAULT_CLASSIFIERS) -> None:
        """Keep at most ``max_classifiers``.

        Raises:
            ConfigError: fewer than one.
        """
        if max_classifiers < 1:
            raise ConfigError(f"max_classifiers = {max_classifiers}: expected 1 or more")
        self._max = max_classifiers
        self._lock = threading.Lock()
        self._classifiers: OrderedDict[_Key, Classifier] = OrderedDict()
        self._building: dict[_Key, threading.Event] = {}
        self._backgrounds: OrderedDict[tuple[str, str], FloatArray] = OrderedDict()
        self._hits = self._misses = self._evictions = 0

    @property
    def hits(self) -> int:
        """How many calls found their classifier built, or being built by another thread."""
        return self._hits

    @property
    def misses(self) -> int:
        """How many calls had to build one."""
        return self._misses

    @property
    def evictions(self) -> int:
        """How many were dropped to make room."""
        return self._evictions

    def __len__(self) -> int:
        return len(self._classifiers)

    def get(
        self,
        encoder: Encoder,
        labels: Sequence[str | Label],
        templates: TemplateSet,
        *,
        ensemble: Ensemble = "embedding",
    ) -> Classifier:
        """Return the classifier, building it unless it is there or another thread is at it.

        Raises:
            LabelSetError: the labels cannot be used.
            EncoderError: the model fails on the prompts; the next call tries again.
        """
        key = _Key(encoder.encoder_id, check_label_list(labels), templates.digest, ensemble)
        while True:
            found = self._find_or_claim(key)
            if found is None:
                return self._build(key, encoder, templates)
            if isinstance(found, Classifier):
                return found
            # A builder that fails leaves nothing, and one of those who waited takes over: its
            # failure, for example its own deadline, is not theirs.
            found.wait()

    def _find_or_claim(self, key: _Key) -> Classifier | threading.Event | None:
        """Return the classifier, or the sign that its builder will set, or the job to build it."""
        with self._lock:
            classifier = self._classifiers.get(key)
            if classifier is not None:
                self._classifiers.move_to_end(key)
                self._hits += 1
                return classifier
            built = self._building.get(key)
            if built is None:
                self._building[key] = threading.Event()
                self._misses += 1
            return built

    def _build(self, key: _Key, encoder: Encoder, templates: TemplateSet) -> Classifier:
        try:
            known_BD = self._backgrounds.get((key.encoder_id, key.template_digest))
            classifier = build_classifier(
                encoder, key.labels, templates, ensemble=key.ensemble, background_BD=known_BD
            )
            with self._lock:
                self._keep(key, classifier)
        finally:
            with self._lock:
                self._building.pop(key).set()
        return classifier

    def _keep(self, key: _Key, classifier: Classifier) -> None:
        """Store a classifier, and the background for the next one with the same prompts."""
        self._classifiers[key] = classifier
        self._backgrounds[key.encoder_id, key.template_digest] = classifier.background_BD
        while len(self._classifiers) > self._max:
            self._classifiers.popitem(last=False)
            self._evictions += 1
        while len(self._backgrounds) > self._max:
            self._backgrounds.popitem(last=False)
