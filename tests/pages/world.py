"""The files that the pages of the documentation name, made of the example pictures."""

from __future__ import annotations

import csv
import json
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from encoders.encoder import Encoder
from encoders.loading import STARTER_MODEL
from index.gallery import Gallery, NewImage
from tests.pages.running import BLOCK

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
PICTURES = 16
"""Pictures in every folder and table: enough for each command, few enough to be quick."""
CLASSES = ("cat", "dog", "parrot")
"""Labels that the pages use; which pictures have them does not matter to a command."""
PER_CLASS = 16
IDS = ("a17", "a18", "a19", "b3")
"""Ids that the pages give to items of a gallery."""
MODELS = ("my-model", "models/first", "models/vit-b-32", "models/mine", "models/shop")
"""Places where the pages expect a model of the reader's; the starter model stands in."""
GALLERIES = (
    "gallery",
    "pets",
    "shop",
    "served/gallery",
    "home/photos.gallery",
    "data/demo",
    "home/galleries/pets",
)


def furnish(folder: Path, encoder: Encoder) -> None:
    """Make all that the pages name in ``folder``; its ``home`` is the reader's home."""
    rows = example_rows()
    _copy_pictures(folder, rows)
    _write_tables(folder, rows)
    _write_classes(folder, rows)
    _write_small_files(folder)
    for name in MODELS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(STARTER_MODEL)
    for name in ("configs", "examples"):
        (folder / name).symlink_to(ROOT / name)
    _make_galleries(folder, rows, encoder)
    _write_clip_retrieval(folder / "embeddings", encoder.dim)


def example_rows() -> list[dict[str, object]]:
    """Return the rows of the example gallery's manifest."""
    manifest = (EXAMPLES / "gallery" / "pairs.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in manifest.splitlines()]


def _picture(row: dict[str, object]) -> Path:
    return EXAMPLES / "gallery" / str(row["image"])


def _captions(row: dict[str, object]) -> list[str]:
    captions = row["captions"]
    assert isinstance(captions, list)
    return [str(caption) for caption in captions]


def _first(row: dict[str, object]) -> str:
    return _captions(row)[0]


def _copy_pictures(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    for name in ("photos", "home/Pictures", "other-photos", "photos-of-else"):
        (folder / name).mkdir(parents=True)
        start = 0 if name in {"photos", "home/Pictures"} else 340
        for row in rows[start : start + PICTURES]:
            shutil.copy(_picture(row), folder / name)
    queries = EXAMPLES / "queries"
    for name in ("cat.jpg", "photo.jpg", "one.jpg", "car.jpg", "shelf.jpg"):
        shutil.copy(queries / "cat.jpg", folder / name)
    for name in ("two.jpg", "dog.png"):
        shutil.copy(queries / "windmill.jpg", folder / name)


def _write_tables(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    parts = {
        "pairs": rows[: 3 * PICTURES],
        "train": rows[72:144],
        "val": rows[144:192],
        "validation": rows[144:192],
        "test": rows[192:240],
        "heldout": rows[240:336],
    }
    for name, part in parts.items():
        described = [_described(row, place) for place, row in enumerate(part)]
        _write_lines(folder / f"{name}.jsonl", [json.dumps(row) for row in described])
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "image", "title", "label"])
            writer.writerows(
                [row["id"], row["image"], _captions(row)[0], row["label"]] for row in described
            )
    table = pa.table(
        {"image": [str(_picture(row)) for row in rows], "caption": [*map(_first, rows)]}
    )
    pq.write_table(table, folder / "part-0.parquet")
    images = [
        {
            "filename": str(_picture(row)),
            "split": "test",
            "sentences": [{"raw": caption} for caption in _captions(row)],
        }
        for row in rows[:PICTURES]
    ]
    (folder / "dataset_coco.json").write_text(json.dumps({"images": images}), encoding="utf-8")


def _described(row: dict[str, object], place: int) -> dict[str, object]:
    """Return a row with an id, a label and metadata that the pages name."""
    return {
        "id": IDS[place] if place < len(IDS) else f"c{place}",
        "image": str(_picture(row)),
        "captions": _captions(row),
        "label": CLASSES[place % len(CLASSES)],
        "metadata": {"shop": "north", "category": "animal", "year": 2020 + place % 5},
    }


def _write_classes(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write folders with a folder a class, no picture in two of them."""
    start = 0
    for name in ("photos-by-class", "other-photos-by-class", "train", "val", "test"):
        for label in CLASSES:
            (folder / name / label).mkdir(parents=True)
            for row in rows[start : start + PER_CLASS]:
                shutil.copy(_picture(row), folder / name / label)
            start += PER_CLASS


def _write_small_files(folder: Path) -> None:
    _write_lines(folder / "labels.txt", CLASSES)
    _write_lines(folder / "templates.txt", ["a photo of a {}.", "a drawing of a {}."])
    _write_lines(folder / "searches.txt", ["a fish", "a bird", "a red flower"])
    shown = {
        "land.json": ("zero-shot.md", "json", "aliases"),
        "gate.toml": ("metrics.md", "toml", "[floor]"),
        "sightline.toml": ("configuration.md", "toml", ""),
    }
    for name, (page, kind, holds) in shown.items():
        (folder / name).write_text(shown_file(page, kind=kind, holds=holds), encoding="utf-8")
    (folder / "backups").mkdir()
    (folder / "shards").mkdir()
    for number, picture in enumerate(sorted((folder / "photos").iterdir())[:12]):
        with tarfile.open(folder / "shards" / f"part-{number:03}.tar", "w") as shard:
            shard.add(picture, arcname=f"{number:05}{picture.suffix}")


def shown_file(page: str, *, kind: str, holds: str) -> str:
    """Return the first block of a kind in a page that holds a text."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = [body for what, body in BLOCK.findall(text) if what == kind and holds in body]
    return str(found[0])


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _make_galleries(folder: Path, rows: Sequence[dict[str, object]], encoder: Encoder) -> None:
    """Make one gallery, of the pairs in ``pairs.jsonl``, and copies of it."""
    first = folder / GALLERIES[0]
    with closing(Gallery.open(first, encoder)) as gallery:
        gallery.add([_new_image(row, place) for place, row in enumerate(rows[: 3 * PICTURES])])
    for name in GALLERIES[1:]:
        shutil.copytree(first, folder / name)


def _new_image(row: dict[str, object], place: int) -> NewImage:
    described = _described(row, place)
    metadata = {
        "year": 2020 + place % 5,
        "price": place,
        "shop": "north",
        "label": "blurred" if place == 0 else "sharp",
    }
    return NewImage(
        _picture(row).read_bytes(), id=str(described["id"]), caption=_first(row), metadata=metadata
    )


def _write_clip_retrieval(folder: Path, dim: int) -> None:
    """Write embeddings as clip-retrieval does."""
    vectors = np.random.default_rng(0).standard_normal((8, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    np.save(folder / "img_emb" / "img_emb_0.npy", vectors.astype(np.float16))
    table = pa.table({"image_path": [f"picture-{number}" for number in range(8)]})
    pq.write_table(table, folder / "metadata" / "metadata_0.parquet")
