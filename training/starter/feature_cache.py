"""Features of augmented views of pictures, computed once and kept on disk.

# N = pictures, V = views, F = features, S = image size
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.artifacts import read_json, write_json
from core.errors import TrainingError
from core.progress import ProgressFactory, silent
from core.types import FloatArray, PixelArray
from training.starter.pictures import Picture, PictureError, render
from training.starter.views import augmented_view, plain_view

logger = logging.getLogger(__name__)

Tower = Callable[[PixelArray], FloatArray]
"""uint8 (N, S, S, 3) to (N, F)."""
BATCH = 16


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Captioned pictures as features."""

    pictures: tuple[Picture, ...]
    """Those that could be rendered."""
    features_NVF: NDArray[np.float16]
    """View 0 is the plain picture, the others are augmented."""


def cached_features(
    pictures: Sequence[Picture],
    tower: Tower,
    file: Path,
    *,
    views: int,
    side: int,
    progress: ProgressFactory = silent,
) -> FeatureSet:
    """Return the features of the pictures, from ``file`` if it holds these pictures' features."""
    names_file = file.with_suffix(".json")
    by_name = {picture.name: picture for picture in pictures}
    if file.is_file() and names_file.is_file():
        names = _names(names_file)
        features_NVF: NDArray[np.float16] = np.load(file, allow_pickle=False)
        if features_NVF.shape[:2] == (len(names), views) and set(names) <= by_name.keys():
            return FeatureSet(tuple(by_name[name] for name in names), features_NVF)
        logger.warning("cached features do not fit", extra={"file": str(file)})
    found = _compute(pictures, tower, views=views, side=side, progress=progress)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, found.features_NVF, allow_pickle=False)
    write_json(names_file, {"names": [picture.name for picture in found.pictures]})
    return found


def _compute(
    pictures: Sequence[Picture],
    tower: Tower,
    *,
    views: int,
    side: int,
    progress: ProgressFactory,
) -> FeatureSet:
    rng = np.random.default_rng(0)
    rendered: list[Picture] = []
    pending: list[PixelArray] = []
    parts: list[FloatArray] = []
    with progress("Caching features", total=len(pictures), unit="pictures") as bar:
        for picture in pictures:
            bar.advance(1)
            try:
                image = render(picture)
            except PictureError as error:
                logger.info("picture left out", extra={"reason": str(error)})
                continue
            rendered.append(picture)
            pending.append(plain_view(image, side))
            pending.extend(augmented_view(image, side, rng) for _ in range(views - 1))
            if len(pending) >= BATCH:
                parts.append(tower(np.stack(pending)))
                pending.clear()
    if pending:
        parts.append(tower(np.stack(pending)))
    if not rendered:
        raise TrainingError("no picture of the set could be rendered")
    features_NVF = np.concatenate(parts).astype(np.float16).reshape(len(rendered), views, -1)
    return FeatureSet(tuple(rendered), features_NVF)


def _names(file: Path) -> list[str]:
    names = read_json(file)["names"]
    assert isinstance(names, list)
    return [str(name) for name in names]
