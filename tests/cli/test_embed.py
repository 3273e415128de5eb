"""Rules of ``sightline embed``, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import cli.opening
from core.types import FloatArray, PixelArray
from tests.cli.runs import Run
from tests.cli.test_add import sightline
from tests.fakes import FakeEncoder


class StoppingEncoder(FakeEncoder):
    """Is interrupted at the third call."""

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Embed, or stop as Ctrl-C does."""
        if self.image_calls == 2:
            raise KeyboardInterrupt
        return super().encode_images(pixels_NSS3)


def test_a_folder_is_embedded_and_bad_files_are_named(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    """The result says how many and where; what could not be embedded is on stderr and in a file."""
    code, out, err = run("embed", pictures, "--out", tmp_path / "out", "--part-items", 4)

    assert code == 0
    assert out == f"6 pairs (images) in 2 parts, 1 skipped; {tmp_path / 'out'}\n"
    assert "corrupt" in err
    assert "bound_by" in err
    assert "corrupt" in (tmp_path / "out/skipped/skipped_0.jsonl").read_text()


def test_after_ctrl_c_the_same_command_goes_on(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130, finished parts are kept, and the second run embeds the rest alone."""
    arguments = ("embed", pictures, "--out", tmp_path / "out", "--part-items", 2, "--json")
    with monkeypatch.context() as patch:
        patch.setattr(cli.opening, "open_encoder", lambda *_: StoppingEncoder())
        code, _, err = run(*arguments)
    again, out, _ = run(*arguments)

    assert (code, again) == (130, 0)
    assert "The same command goes on from there" in err
    summary = json.loads(out)
    assert summary["gone_on_at"] == 4
    assert (summary["rows"], summary["skipped"]) == (6, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no-images", "--no-captions"], "leave nothing to embed"),
        (["--no-images"], "has no captions"),
    ],
)
def test_nothing_to_embed_is_a_usage_error(
    run: Run, pictures: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    """Before a model is loaded, and without a folder."""
    code, _, err = run("embed", pictures, "--out", tmp_path / "out", *options)

    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()


def test_if_nothing_could_be_embedded_the_exit_code_says_so(run: Run, tmp_path: Path) -> None:
    """A folder of one corrupt image."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 50)

    code, _, err = run("embed", tmp_path / "in", "--out", tmp_path / "out")

    assert code == 1
    assert "nothing was embedded" in err


@pytest.mark.slow
def test_what_embed_writes_is_imported(pictures: Path, tmp_path: Path) -> None:
    """With the starter model, which the import recognises."""
    out, gallery = tmp_path / "out", tmp_path / "gallery"
    done = sightline("embed", pictures, "--out", out)
    imported = sightline("import", out, "--gallery", gallery, "--json")

    assert done.returncode == 0, done.stderr
    assert np.load(out / "img_emb" / "img_emb_0.npy").dtype == np.float16
    summary = json.loads(imported.stdout)
    assert summary["median_cosine"] > 0.999
    assert (summary["created"], summary["with_file"]) == (6, 6)
