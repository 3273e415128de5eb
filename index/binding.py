"""What a collection is bound to: one encoder, one dimension, and where the model came from."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from core.errors import EncoderMismatchError, StorageError
from index.schema import DATABASE_NAME, storage_errors
from index.store import StoreReader


@dataclass(frozen=True, slots=True)
class Binding:
    """The encoder of a collection."""

    encoder_id: str
    dim: int
    model: str | None = None
    """Path or name of the model, for commands that are not told; ``None``: the starter model."""


def read_binding(store: StoreReader) -> Binding:
    """Return what the collection is bound to.

    Raises:
        StorageError: the collection was never bound.
    """
    state = store.state()
    if not {"encoder_id", "dim"} <= set(state):
        raise StorageError(f"{store.path} names no encoder; add the images to a new gallery")
    return _binding(state)


def recorded_model(folder: Path) -> str | None:
    """Return the model that a gallery was filled with, ``None`` where nothing is on record.

    Raises:
        StorageError: there is a gallery, but it cannot be read.
    """
    if not (folder / DATABASE_NAME).is_file():
        return None
    with contextlib.closing(StoreReader(folder)) as store:
        return store.state().get("model")


def binding_of_folder(folder: Path) -> Binding:
    """Return what the gallery in a folder is bound to; no model is needed.

    Raises:
        NotFoundError: there is no gallery.
        StorageError: it cannot be read.
    """
    with contextlib.closing(StoreReader(folder)) as store:
        return read_binding(store)


def check_binding(found: Binding, wanted: Binding, *, folder: Path) -> None:
    """Refuse another encoder than the one that made the vectors.

    Raises:
        EncoderMismatchError: the message names both ids and the commands that mend it.
    """
    if (found.encoder_id, found.dim) == (wanted.encoder_id, wanted.dim):
        return
    named = f" --model {found.model}" if found.model else ""
    raise EncoderMismatchError(
        f"the gallery {folder} holds vectors of encoder {found.encoder_id} (dim {found.dim}), but "
        f"the model in use is {wanted.encoder_id} (dim {wanted.dim}); use the gallery's own model "
        f"(sightline search --gallery {folder}{named} QUERY), or fill a new gallery with this one "
        "(sightline add --gallery NEW --model MODEL IMAGES)"
    )


def bind(connection: sqlite3.Connection, wanted: Binding, *, folder: Path) -> None:
    """Bind an empty collection to an encoder, or check that a filled one has this encoder.

    Raises:
        EncoderMismatchError: it holds vectors of another encoder.
        StorageError: the binding cannot be written.
    """
    with storage_errors(folder):
        state = dict(connection.execute("SELECT key, value FROM state"))
        if connection.execute("SELECT EXISTS (SELECT 1 FROM items)").fetchone()[0]:
            check_binding(_binding(state), wanted, folder=folder)
        values = {"encoder_id": wanted.encoder_id, "dim": str(wanted.dim)}
        if wanted.model is not None:
            values["model"] = wanted.model
        if values.items() <= state.items():
            return
        connection.execute("BEGIN IMMEDIATE")
        if state.get("encoder_id") != wanted.encoder_id:
            connection.execute("DELETE FROM state")
        connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items()))
        connection.execute("COMMIT")


def _binding(state: dict[str, str]) -> Binding:
    return Binding(state["encoder_id"], int(state["dim"]), state.get("model"))
