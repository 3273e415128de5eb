"""What a teacher model makes of the pairs: computed once and cached, or read from a file.

The file is an ``.npz`` without Python objects:

    ids          (N,)    ids of pairs, as text
    image        (N, T)  an embedding each
    captions     (M,)    captions, as text
    text         (M, T)  an embedding each
    logit_scale  ()      inverse temperature of the teacher; 100 where it is not there

# N = pairs, M = captions, B = pairs of a batch, T = embedding dim of the teacher
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.artifacts import canonical_json
from core.errors import ArtifactError, PairsError
from core.pairs.pair import Pair
from core.types import FloatArray, IdArray, JSONObject
from encoders.encoder import Encoder
from encoders.loading import load_encoder
from training.data.batches import TeacherEmbeddings
from training.data.feature_cache import FeatureCache, TextTower
from training.data.feature_shard import ImageTower

_DEFAULT_SCALE = 100.0


class Rows(Protocol):
    """Embeddings by number."""

    def rows(self, rows_B: IdArray) -> FloatArray:
        """Return (B, T)."""
        ...


@dataclass(frozen=True, slots=True)
class Teacher:
    """The embeddings of a teacher for every pair and every caption of a data set."""

    images: Rows
    """By index of the pair."""
    texts: Rows
    """By row of the caption table."""
    logit_scale: float
    """Inverse temperature, exponentiated."""

    def of(self, indices_B: IdArray, captions_B: IdArray) -> TeacherEmbeddings:
        """Return the embeddings of pairs with the captions that they show."""
        return TeacherEmbeddings(
            image_BT=_normalised(self.images.rows(indices_B)),
            text_BT=_normalised(self.texts.rows(captions_B)),
            logit_scale=self.logit_scale,
        )


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Embeddings in memory."""

    embeddings_NT: FloatArray

    def rows(self, rows_B: IdArray) -> FloatArray:
        """Return (B, T)."""
        found_BT: FloatArray = self.embeddings_NT[rows_B]
        return found_BT


def open_teacher(
    source: str, pairs: Sequence[Pair], texts: Sequence[str], *, cache: FeatureCache
) -> Teacher:
    """Return the teacher that a recipe names (``data.teacher``).

    Args:
        source: an ``.npz`` file, a model folder, or any open_clip source.
        pairs: those of the data set, in its order.
        texts: the captions, in the order of its caption table.
        cache: where the embeddings of a model are kept.

    Raises:
        NotFoundError: nothing of that name.
        ArtifactError: a malformed file, or a damaged model folder.
        PairsError: a pair or a caption of which the teacher has nothing to say.
        EncoderError: a model that cannot be loaded.
    """
    if source.endswith(".npz"):
        return read_teacher(Path(source).expanduser(), pairs, texts)
    with closing(load_encoder(source)) as encoder:
        return teacher_of_encoder(encoder, pairs, texts, cache=cache)


def teacher_of_encoder(
    encoder: Encoder, pairs: Sequence[Pair], texts: Sequence[str], *, cache: FeatureCache
) -> Teacher:
    """Return what a model of any runtime says, computed where ``cache`` does not hold it.

    Args:
        encoder: the teacher, see ``encoders.loading.load_encoder``.
        pairs: those of the data set, in its order.
        texts: the captions, in the order of its caption table.
        cache: where the embeddings are kept.

    Raises:
        PairsError: a picture cannot be read.
        EncoderError: the teacher fails.
    """
    key: JSONObject = {"teacher": encoder.encoder_id, "runtime": type(encoder).__name__}
    tower = ImageTower({**key, "side": "image"}, encoder.preprocessing, encoder.encode_images)
    images = cache.images([pair.image for pair in pairs], tower)
    for row, reason in images.skipped.items():
        raise PairsError(f"the teacher cannot see the picture of {pairs[row].id!r}: {reason}")
    text_tower = TextTower(
        {**key, "side": "text"},
        embed=lambda rows: encoder.encode_texts(texts[rows]),
        content=lambda rows: canonical_json([*texts[rows]]),
    )
    return Teacher(images.features, cache.texts(len(texts), text_tower), encoder.logit_scale)


def read_teacher(file: Path, pairs: Sequence[Pair], texts: Sequence[str]) -> Teacher:
    """Return what a file says of these pairs and captions.

    Raises:
        ArtifactError: the file is not as the head of this module says.
        PairsError: a pair or a caption is missing from it.
    """
    stored = _read_arrays(file)
    images = _chosen(stored, "ids", "image", [pair.id for pair in pairs], file)
    captions = _chosen(stored, "captions", "text", texts, file)
    scale = float(stored.get("logit_scale", np.array(_DEFAULT_SCALE)))
    return Teacher(StoredRows(images), StoredRows(captions), scale)


def _read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise ArtifactError(f"{file} is no .npz of plain arrays: {error}") from error
    for names, values in (("ids", "image"), ("captions", "text")):
        if names not in arrays or values not in arrays:
            raise ArtifactError(f"{file} needs the arrays {names} and {values}")
        if arrays[names].ndim != 1 or arrays[values].shape[:-1] != arrays[names].shape:
            raise ArtifactError(
                f"{file}: {values} has shape {arrays[values].shape} for {names} of shape "
                f"{arrays[names].shape}; expected one row of {values} for each"
            )
    return arrays


def _chosen(
    stored: dict[str, NDArray[Any]], names: str, values: str, wanted: Sequence[str], file: Path
) -> FloatArray:
    """Return the rows of the wanted names, in their order."""
    places = {str(name): place for place, name in enumerate(stored[names])}
    missing = [name for name in wanted if name not in places]
    if missing:
        raise PairsError(
            f"{file} lacks {len(missing)} of {len(wanted)} {names}, the first {missing[0]!r}; "
            "store an embedding for each, or name a model as the teacher"
        )
    rows = np.array([places[name] for name in wanted], np.int64)
    chosen: FloatArray = stored[values][rows].astype(np.float32)
    return chosen


def _normalised(embeddings_BT: FloatArray) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(embeddings_BT), dim=-1)
