"""Rules of core.artifacts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.artifacts import (
    MANIFEST_NAME,
    canonical_json,
    new_artifact,
    read_json,
    read_manifest,
    sha256_bytes,
    sha256_file,
    verify_files,
    write_atomic,
    write_json,
)
from core.errors import ArtifactError, IntegrityError


def make_artifact(target: Path) -> Path:
    """Write a small artifact with a file in a sub-folder."""
    with new_artifact(target, kind="thing", format_version=1, extra={"colour": "red"}) as folder:
        (folder / "a.bin").write_bytes(b"abc")
        (folder / "deep").mkdir()
        (folder / "deep" / "b.bin").write_bytes(b"xyz")
    return target


def test_sha256_of_abc_is_the_published_one() -> None:
    """FIPS 180-2, appendix B.1."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    assert sha256_bytes(b"abc") == expected


def test_file_and_bytes_have_the_same_digest(tmp_path: Path) -> None:
    """Reading in chunks changes nothing, also over several chunks."""
    data = bytes(range(256)) * 9000
    (tmp_path / "f").write_bytes(data)

    assert sha256_file(tmp_path / "f") == sha256_bytes(data)


def test_canonical_json_ignores_the_order_of_keys() -> None:
    """Two equal objects have one byte string."""
    assert canonical_json({"b": 1, "a": [1, 2]}) == canonical_json({"a": [1, 2], "b": 1})


def test_an_artifact_lists_every_file(tmp_path: Path) -> None:
    """The manifest names all files with their digests and keeps the kind's own fields."""
    folder = make_artifact(tmp_path / "art")

    manifest = read_manifest(folder, kind="thing", format_version=1)

    assert sorted(manifest.files) == ["a.bin", "deep/b.bin"]
    assert manifest.files["a.bin"] == sha256_bytes(b"abc")
    assert manifest.extra == {"colour": "red"}
    verify_files(folder, manifest)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """When the block raises, neither the target nor the temporary folder stays."""
    with pytest.raises(RuntimeError), new_artifact(tmp_path / "a", kind="k", format_version=1):
        raise RuntimeError("disk on fire")

    assert list(tmp_path.iterdir()) == []


def test_an_artifact_is_never_overwritten(tmp_path: Path) -> None:
    """A second write to the same name is refused."""
    make_artifact(tmp_path / "art")

    with pytest.raises(ArtifactError, match="immutable"):
        make_artifact(tmp_path / "art")


@pytest.mark.parametrize("name", ["a.bin", "deep/b.bin"])
def test_one_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    """Any change of any file raises IntegrityError with the file's name."""
    folder = make_artifact(tmp_path / "art")
    data = bytearray((folder / name).read_bytes())
    data[0] ^= 1
    (folder / name).write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match=name):
        verify_files(folder, read_manifest(folder, kind="thing", format_version=1))


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    """A file that the manifest names must exist."""
    folder = make_artifact(tmp_path / "art")
    (folder / "a.bin").unlink()

    with pytest.raises(IntegrityError, match=r"a\.bin is missing"):
        verify_files(folder, read_manifest(folder, kind="thing", format_version=1))


def test_a_manifest_cannot_name_files_outside(tmp_path: Path) -> None:
    """A path that leaves the folder is refused before it is read."""
    folder = make_artifact(tmp_path / "art")
    fields = json.loads((folder / MANIFEST_NAME).read_text())
    fields["files"]["../secret"] = "0" * 64
    (folder / MANIFEST_NAME).write_text(json.dumps(fields))

    with pytest.raises(IntegrityError, match="outside the folder"):
        verify_files(folder, read_manifest(folder, kind="thing", format_version=1))


def test_another_kind_is_refused(tmp_path: Path) -> None:
    """A report is not a model."""
    folder = make_artifact(tmp_path / "art")

    with pytest.raises(ArtifactError, match="'thing', expected 'model'"):
        read_manifest(folder, kind="model", format_version=1)


def test_another_version_is_refused(tmp_path: Path) -> None:
    """A reader refuses a layout that it does not know."""
    folder = make_artifact(tmp_path / "art")

    with pytest.raises(ArtifactError, match="format version 1; this release reads 2"):
        read_manifest(folder, kind="thing", format_version=2)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_read_json_wants_an_object(tmp_path: Path, text: str) -> None:
    """Anything but a JSON object is an ArtifactError."""
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(ArtifactError):
        read_json(tmp_path / "x.json")


def test_write_json_refuses_nan(tmp_path: Path) -> None:
    """Strict JSON has no NaN, and the old file stays as it was."""
    write_json(tmp_path / "x.json", {"a": 1})

    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})

    assert read_json(tmp_path / "x.json") == {"a": 1}


def test_write_atomic_replaces_the_whole_content(tmp_path: Path) -> None:
    """No byte of a longer old file stays, and no temporary file either."""
    write_atomic(tmp_path / "f", b"long old content")
    write_atomic(tmp_path / "f", b"new")

    assert (tmp_path / "f").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
