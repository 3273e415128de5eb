"""The model as it really runs: where it came from, by which runtime, in which arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.types import JSONObject
from encoders.encoder import Encoder
from encoders.folder import CARD_NAME
from encoders.loading import STARTER_MODEL
from encoders.openvino_runtime import OpenVINOEncoder

_LONGEST_CARD = 200_000
"""Characters of a model card; the rest of a longer one is left out."""
_TORCH = "encoders.torch_runtime"


@dataclass(frozen=True, slots=True)
class RunningModel:
    """What is known of the model beside its spec; ``None``: not known, as of a test's encoder."""

    runtime: str | None = None
    """``openvino`` or ``torch``."""
    image_precision: str | None = None
    """Arithmetic of the image tower."""
    text_precision: str | None = None
    tuned: bool = False
    """Whether precision, streams and threads are those that ``sightline models tune`` measured."""
    folder: Path | None = None
    """The model folder; ``None`` where the model is none."""

    @classmethod
    def of(cls, encoder: Encoder, model: str | None, *, precision: str) -> RunningModel:
        """Return how an encoder runs that was loaded from ``model`` (``None``: the starter).

        ``precision`` is what was asked for: the torch runtime takes it as it is.
        """
        path = STARTER_MODEL if model is None else Path(model)
        folder = path if path.is_dir() else None
        if isinstance(encoder, OpenVINOEncoder):
            images, texts = encoder.plan.images, encoder.plan.texts
            return cls("openvino", images.precision, texts.precision, images.run_ms > 0, folder)
        if type(encoder).__module__ == _TORCH:
            # Named by its module: importing the class would import torch.
            used = "float32" if precision == "auto" else precision
            return cls("torch", used, used, folder=folder)
        return cls(folder=folder)

    def as_json(self) -> JSONObject:
        """Return all of it, with the text of the model card."""
        return {
            "runtime": self.runtime,
            "image_precision": self.image_precision,
            "text_precision": self.text_precision,
            "tuned": self.tuned,
            "card": self._card(),
        }

    def _card(self) -> str | None:
        if self.folder is None:
            return None
        try:
            text = (self.folder / CARD_NAME).read_text(encoding="utf-8", errors="replace")
        except OSError:
            # A model folder need not have one.
            return None
        return text[:_LONGEST_CARD]
