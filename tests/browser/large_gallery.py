"""A gallery of thousands of items that share six pictures: quick to build, long to scroll."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from index.adding import NewImage
from index.gallery import Gallery
from index.items import NewItem
from tests.fakes import COLOURS, FakeEncoder, picture_bytes


def build_large_gallery(folder: Path, *, items: int) -> None:
    """Make a gallery in ``folder``: the six colours first, then items with random vectors.

    The pictures have different shapes, so that rows differ; all thumbnails exist, so that the
    service tells the shape of each.
    """
    encoder = FakeEncoder()
    with Gallery.open(folder, encoder) as gallery:
        gallery.add(
            [
                NewImage(
                    picture_bytes(name, size=(40 + 20 * place, 60)),
                    id=name,
                    caption=f"a {name} one",
                )
                for place, name in enumerate(COLOURS)
            ]
        )
        pictures = gallery.collection.find(list(COLOURS))
        vectors_ND = np.random.default_rng(0).standard_normal((items, encoder.dim))
        vectors_ND /= np.linalg.norm(vectors_ND, axis=1, keepdims=True)
        names = list(COLOURS)
        gallery.collection.upsert(
            [
                NewItem(
                    f"z{place:06}",
                    vector_D.astype(np.float32),
                    digest=pictures[names[place % 6]].digest,
                    caption=f"number {place}",
                )
                for place, vector_D in enumerate(vectors_ND)
            ]
        )
