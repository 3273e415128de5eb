"""A gallery of any size for the benchmark of text search, made once and kept.

# N = items, C = pictures of the example gallery, D = embedding dimension

    python -m benchmarks.text_search_gallery FOLDER --items 100000 [--model MODEL]
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from core.types import FloatArray
from encoders.embedding import encode_image_bytes
from encoders.encoder import Encoder
from encoders.loading import STARTER_MODEL, load_encoder
from index.collection import Collection
from index.fields import IndexField
from index.items import NewItem

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
    parser.add_argument("--model", default=str(STARTER_MODEL))
    arguments = parser.parse_args()
    make_gallery(arguments.folder, model=arguments.model, items=arguments.items)


def make_gallery(folder: Path, *, model: str, items: int) -> None:
    """Store ``items`` items around the pictures of the example gallery, with a merged index.

    Two fields are indexed: ``percent`` (0 to 99) selects 1 % and ``even`` half of the items.
    """
    encoder = load_encoder(model)
    with Collection.open(
        folder, encoder_id=encoder.encoder_id, dim=encoder.dim, model=model
    ) as collection:
        captions, centres_CD = _examples(encoder)
        rng = np.random.default_rng(0)
        for start in range(collection.count(), items, _ITEMS_OF_A_WRITE):
            count = min(_ITEMS_OF_A_WRITE, items - start)
            chosen_N = rng.integers(0, len(centres_CD), count)
            noise_ND = rng.standard_normal((count, encoder.dim)) * _SPREAD / encoder.dim**0.5
            vectors_ND = _units(centres_CD[chosen_N] + noise_ND)
            collection.upsert(
                [
                    _item(start + place, captions[chosen], vector_D)
                    for place, (chosen, vector_D) in enumerate(
                        zip(chosen_N.tolist(), vectors_ND, strict=True)
                    )
                ]
            )
        collection.write(IndexField("percent"))
        collection.write(IndexField("even"))
        collection.snapshot()
    encoder.close()


def _item(number: int, caption: str, vector_D: FloatArray) -> NewItem:
    name = f"photo-{number:07}"
    return NewItem(
        name,
        vector_D,
        digest=hashlib.sha256(name.encode()).hexdigest(),
        caption=caption,
        metadata={"percent": number % 100, "even": number % 2 == 0, "place": f"shelf {number}"},
    )


def _examples(encoder: Encoder) -> tuple[list[str], FloatArray]:
    """Return captions and embeddings (C, D) of the example gallery."""
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    data = [(PAIRS.parent / pair["image"]).read_bytes() for pair in pairs]
    found = encode_image_bytes(encoder, data)
    rows = [vector_D for vector_D in found if isinstance(vector_D, np.ndarray)]
    return [str(pair["captions"][0]) for pair in pairs], np.stack(rows)


def _units(vectors_ND: FloatArray) -> FloatArray:
    units_ND: FloatArray = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return units_ND.astype(np.float32)


if __name__ == "__main__":
    main()
