"""A gallery of any size with real pictures, for the benchmark of the page.

# N = items, C = pictures of the example gallery, D = embedding dimension

    python -m benchmarks.page_gallery FOLDER --items 100000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from core.types import FloatArray
from encoders.loading import STARTER_MODEL, load_encoder
from index.adding import NewImage
from index.gallery import Gallery
from index.items import Item, NewItem

ROOT = Path(__file__).parent.parent
PAIRS = ROOT / "examples" / "gallery" / "pairs.jsonl"
_SPREAD = 0.8
"""Length of the noise around a real picture's unit vector: cosines of about 0.78 with it."""
_ITEMS_OF_A_WRITE = 5000


def main() -> None:
    """Make the gallery where there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=int, default=100_000)
    arguments = parser.parse_args()
    make_page_gallery(arguments.folder, items=arguments.items)


def make_page_gallery(folder: Path, *, items: int) -> None:
    """Store the example pictures, and around them items that share their files, up to ``items``.

    A vector of the others is that of their picture with noise, so no two are equal.
    """
    encoder = load_encoder(str(STARTER_MODEL))
    with Gallery.open(folder, encoder, model=str(STARTER_MODEL)) as gallery:
        if gallery.collection.count() == 0:
            gallery.add(_pictures())
            gallery.collection.snapshot()
        examples = _examples(gallery)
        vectors = gallery.collection.vectors([item.id for item in examples])
        rng = np.random.default_rng(0)
        for start in range(gallery.collection.count(), items, _ITEMS_OF_A_WRITE):
            count = min(_ITEMS_OF_A_WRITE, items - start)
            chosen_N = rng.integers(0, len(examples), count)
            noise_ND = rng.standard_normal((count, encoder.dim)) * _SPREAD / encoder.dim**0.5
            vectors_ND = _units(np.stack(vectors)[chosen_N] + noise_ND)
            gallery.collection.upsert(
                [
                    _copy(start + place, examples[chosen], vectors_ND[place])
                    for place, chosen in enumerate(chosen_N.tolist())
                ]
            )
        gallery.collection.snapshot()
    encoder.close()


def _pictures() -> list[NewImage]:
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    return [
        NewImage(
            data=(PAIRS.parent / pair["image"]).read_bytes(),
            id=f"example-{place:03}",
            caption=str(pair["captions"][0]),
            metadata={"label": pair["label"]},
        )
        for place, pair in enumerate(pairs)
    ]


def _examples(gallery: Gallery) -> list[Item]:
    items = gallery.collection.scroll(limit=1000).items
    return [item for item in items if item.id.startswith("example-")]


def _copy(number: int, example: Item, vector_D: FloatArray) -> NewItem:
    return NewItem(
        f"photo-{number:07}",
        vector_D,
        digest=example.digest,
        caption=example.caption,
        metadata={**example.metadata, "shelf": number % 100},
    )


def _units(vectors_ND: FloatArray) -> FloatArray:
    units_ND: FloatArray = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return units_ND.astype(np.float32)


if __name__ == "__main__":
    main()
