"""Rules of evaluation.embeddings and evaluation.embeddings_file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactError, IntegrityError
from evaluation.embeddings import Embeddings
from evaluation.embeddings_file import read_embeddings, refuse_target, write_embeddings
from tests.evaluation.colour_pairs import broken_pair, embedded, pair
from tests.fakes import FakeEncoder

ROOT = Path(__file__).parent.parent.parent


def sample(folder: Path) -> Embeddings:
    """Return embeddings with captions, labels, metadata and a bad image."""
    folder.mkdir(exist_ok=True)
    pairs = [
        pair(folder, "a", "red", "a red car", "the red one", label="red", source="shop"),
        broken_pair(folder, "b", "nothing", label="blue"),
        pair(folder, "c", "blue", "a blue car", label="blue"),
    ]
    return embedded(pairs, ["red", "blue"])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Vectors to the bit, pairs, failed images, prompts and provenance."""
    written = sample(tmp_path / "data")
    write_embeddings(written, tmp_path / "e.npz")
    found = read_embeddings(tmp_path / "e.npz")

    assert found.pairs == written.pairs
    assert (found.images.embeddings_GD == written.images.embeddings_GD).all()
    assert (found.captions_CD == written.captions_CD).all()
    assert found.images.places_G == (0, 2)
    assert found.images.failed[0].code == written.images.failed[0].code
    assert found.images.digests_N == written.images.digests_N
    assert found.provenance == written.provenance
    assert found.prompts is not None
    assert written.prompts is not None
    assert found.prompts.label_digest == written.prompts.label_digest
    assert (found.prompts.prompts_PD == written.prompts.prompts_PD).all()
    assert found.caption_ids == ("a#0", "a#1", "b#0", "c#0")
    assert found.image_ids == ("a", "c")


def test_the_same_embeddings_are_the_same_bytes(tmp_path: Path) -> None:
    """No date and no order of a set gets into the file."""
    for name in ("first.npz", "second.npz"):
        write_embeddings(sample(tmp_path / "data"), tmp_path / name)

    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_captions_are_embedded_once_each(tmp_path: Path) -> None:
    """A thousand equal captions cost one embedding and have equal vectors."""
    encoder = FakeEncoder()
    from evaluation.embeddings import embed_pairs

    found = embed_pairs(
        encoder, [pair(tmp_path, str(n), "red", "red", "red", "blue") for n in range(3)]
    )

    assert len(found.captions_CD) == 9
    assert encoder.text_calls == 1


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """One flipped byte of the vectors."""
    path = tmp_path / "e.npz"
    write_embeddings(sample(tmp_path / "data"), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises((IntegrityError, ArtifactError)):
        read_embeddings(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A missing file, no .npz at all, and an .npz of somebody else's."""
    (tmp_path / "text.npz").write_text("no zip")
    np.savez(tmp_path / "theirs.npz", x=np.zeros(3))

    for name in ("missing.npz", "text.npz", "theirs.npz"):
        with pytest.raises((ArtifactError, IntegrityError)):
            read_embeddings(tmp_path / name)


def test_a_file_is_not_written_over_another(tmp_path: Path) -> None:
    """Embeddings are immutable, and their name says what they are."""
    (tmp_path / "e.npz").write_bytes(b"")

    with pytest.raises(ArtifactError, match="exists already"):
        refuse_target(tmp_path / "e.npz")
    with pytest.raises(ArtifactError, match=r"as \.npz"):
        refuse_target(tmp_path / "e.json")


@pytest.mark.slow  # starts a process
def test_after_embed_no_model_is_needed(tmp_path: Path) -> None:
    """Retrieval, labels and their commands from a file import neither torch nor a runtime."""
    write_embeddings(sample(tmp_path / "data"), tmp_path / "e.npz")
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from cli.evaluate import command\n"
        f"for name in ('retrieval', 'classify'):\n"
        f"    done = CliRunner().invoke(command, [name, {str(tmp_path / 'e.npz')!r}, '--json',"
        " '--resamples', '5'])\n"
        "    assert done.exit_code == 0, (done.output, done.exception)\n"
        "heavy = {'torch', 'open_clip', 'openvino', 'onnxruntime', 'transformers', 'faiss'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
