"""Opening the model and the gallery that a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from cli.settings import compiled_folder, default_model, default_precision

if TYPE_CHECKING:
    from encoders.encoder import Encoder
    from encoders.tower_plan import PrecisionChoice
    from index.gallery import Gallery


def open_encoder(model: str | None, gallery: Path | None) -> Encoder:
    """Load the model of a command: the one that is named, else the gallery's, else the starter.

    Args:
        model: path of a model folder or an open_clip source; ``SIGHTLINE_MODEL`` stands in for it.
        gallery: folder whose own model is wanted; it need not exist yet.

    The precision is ``SIGHTLINE_PRECISION``, else what the model was tuned to on this machine.

    Raises:
        SightlineError: there is no such model, or it cannot be loaded.
    """
    from encoders.loading import STARTER_MODEL, load_encoder

    # An unknown word is refused by what it is given to.
    precision = cast("PrecisionChoice", default_precision())
    return load_encoder(
        chosen_model(model, gallery) or STARTER_MODEL,
        precision=precision,
        cache_folder=compiled_folder(),
    )


def open_gallery(
    folder: Path, encoder: Encoder, *, model: str | None = None, read_only: bool = False
) -> Gallery:
    """Open a gallery with its encoder; closing it leaves the encoder open.

    Args:
        folder: of the gallery; made where it does not exist, unless ``read_only``.
        encoder: from :func:`open_encoder`.
        model: what the encoder was loaded by (:func:`chosen_model`), recorded for later commands.
        read_only: open it beside the process that writes it, for example a server.

    Raises:
        EncoderMismatchError: the gallery was filled by another model.
        SightlineError: it cannot be opened.
    """
    from index.gallery import Gallery

    return Gallery.open(folder, encoder, model=model, read_only=read_only)


def require_gallery(folder: Path) -> None:
    """Refuse a missing gallery before a model is loaded for it.

    Raises:
        NotFoundError: there is none.
        StorageError: it cannot be read.
    """
    from index.store import StoreReader

    StoreReader(folder).close()


def chosen_model(model: str | None, gallery: Path | None) -> str | None:
    """Return the model to load, paths made absolute; ``None`` stands for the starter model."""
    from index.binding import recorded_model

    named = model or default_model()
    if named is None:
        return None if gallery is None else recorded_model(gallery)
    path = Path(named).expanduser()
    if path.exists():
        return str(path.resolve())
    kind, colon, rest = named.partition(":")
    if kind == "local-dir" and Path(rest).expanduser().exists():
        return f"{kind}{colon}{Path(rest).expanduser().resolve()}"
    return named
