"""Rules of ``sightline import``, run as a user runs it, with the starter model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from encoders.embedding import encode_image_bytes
from encoders.loading import STARTER_MODEL, load_encoder
from tests.cli.test_add import sightline
from tests.fakes import picture_bytes


@pytest.mark.slow
def test_a_folder_is_taken_over_and_searched(tmp_path: Path) -> None:
    """The summary says how the model was checked; a folder of nothing is an error."""
    colours = ["red", "green", "blue"]
    for name in ("img_emb", "metadata"):
        (tmp_path / "cr" / name).mkdir(parents=True)
    for colour in colours:
        (tmp_path / f"{colour}.png").write_bytes(picture_bytes(colour))
    encoder = load_encoder(STARTER_MODEL)
    vectors = encode_image_bytes(encoder, [picture_bytes(colour) for colour in colours])
    encoder.close()
    np.save(tmp_path / "cr/img_emb/img_emb_0.npy", np.array(vectors, np.float16))
    table = pa.table({"image_path": [f"{colour}.png" for colour in colours], "caption": colours})
    pq.write_table(table, tmp_path / "cr/metadata/metadata_0.parquet")

    options = ["--gallery", tmp_path / "g", "--image-root", tmp_path]
    done = sightline("import", tmp_path / "cr", *options, "--json")
    again = sightline("import", tmp_path / "cr", *options)
    found = sightline("search", "green", "--mode", "keyword", *options[:2], "--json")
    empty = sightline("import", tmp_path / "cr" / "img_emb", *options)

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["created"], summary["with_file"], summary["compared_images"]) == (3, 3, 3)
    assert summary["median_cosine"] > 0.999
    assert "3 images and 0 captions were embedded again" in done.stderr
    assert again.stdout.startswith("0 added, 0 updated, 3 unchanged, 0 failed;")
    assert json.loads(found.stdout)["hits"][0]["path"] == str(tmp_path / "green.png")
    assert empty.returncode == 1
    assert "holds no img_emb/img_emb_0.npy" in empty.stderr
