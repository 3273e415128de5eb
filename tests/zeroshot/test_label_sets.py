"""Rules of zeroshot.label_sets."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.artifacts import read_json
from core.errors import (
    ArtifactError,
    ConflictError,
    IntegrityError,
    LabelSetError,
    NotFoundError,
    StorageError,
)
from zeroshot.label_sets import LABELS_NAME, LabelSetStore
from zeroshot.labels import Label
from zeroshot.templates import check_templates, template_set

SINGLE = template_set("single")


def test_a_saved_set_is_read_back_by_another_store(tmp_path: Path) -> None:
    """What is saved survives the process."""
    saved = LabelSetStore(tmp_path / "sets").save("pets", [" cat", "dog "], SINGLE)

    assert LabelSetStore(tmp_path / "sets").get("pets") == saved
    assert (saved.name, saved.version, saved.labels) == ("pets", 1, ("cat", "dog"))
    assert saved.templates == SINGLE


def test_saving_under_a_known_name_makes_the_next_version(tmp_path: Path) -> None:
    """``name`` is the newest version, ``name@1`` stays what it was."""
    store = LabelSetStore(tmp_path)
    first = store.save("pets", ["cat", "dog"], SINGLE)
    second = store.save("pets", ["cat", "dog", "fish"], SINGLE)

    assert (first.version, second.version) == (1, 2)
    assert store.get("pets") == second
    assert store.get("pets@1") == first
    assert store.get("pets@2") == second


def test_other_templates_make_another_version(tmp_path: Path) -> None:
    """Prompts are part of what a label set means."""
    store = LabelSetStore(tmp_path)
    first = store.save("pets", ["cat"], SINGLE)
    second = store.save("pets", ["cat"], template_set("imagenet7"))

    assert second.version == 2
    assert first.digest != second.digest


def test_saving_the_newest_version_again_stores_nothing(tmp_path: Path) -> None:
    """A repeated request has the effect of one."""
    store = LabelSetStore(tmp_path)
    first = store.save("pets", ["cat", "dog"], SINGLE)

    assert store.save("pets", ["cat ", "dog"], SINGLE) == first
    assert sorted(path.name for path in (tmp_path / "pets").iterdir()) == ["1"]


def test_more_than_nine_versions_are_in_order_of_number(tmp_path: Path) -> None:
    """Version 10 is newer than version 9."""
    store = LabelSetStore(tmp_path)
    for number in range(10):
        store.save("n", [f"label {number}"], SINGLE)

    assert store.get("n").version == 10


def test_custom_templates_are_stored_with_the_set(tmp_path: Path) -> None:
    """The prompts are stored as texts, so a later release reads the same ones."""
    templates = check_templates(["a drawing of a {}.", "a sketch of {}"])
    LabelSetStore(tmp_path).save("art", ["cat"], templates)

    assert LabelSetStore(tmp_path).get("art").templates == templates


def test_what_describes_a_label_is_stored_with_the_set(tmp_path: Path) -> None:
    """Aliases, own prompts, background and language; each makes another version."""
    labels = [
        Label("cat", aliases=("kitten",), prompts=("a {} that purrs", "whiskers")),
        Label("dog"),
        Label("other animal", background=True),
    ]
    store = LabelSetStore(tmp_path)
    plain = store.save("pets", ["cat", "dog", "other animal"], SINGLE)
    detailed = store.save("pets", labels, SINGLE)
    noted = store.save("pets", labels, SINGLE, language="en")

    assert [item.version for item in (plain, detailed, noted)] == [1, 2, 3]
    assert LabelSetStore(tmp_path).get("pets@2") == detailed
    assert LabelSetStore(tmp_path).get("pets@2").details == tuple(labels)
    assert LabelSetStore(tmp_path).get("pets").language == "en"
    assert detailed.labels == plain.labels
    assert detailed.digest != plain.digest
    assert store.save("pets", labels, SINGLE, language="en") == noted


def test_a_release_that_would_ignore_the_details_cannot_read_them(tmp_path: Path) -> None:
    """Plain sets keep the layout of before; detailed ones have the next format version."""
    store = LabelSetStore(tmp_path)
    store.save("plain", ["cat"], SINGLE)
    store.save("detailed", [Label("cat", aliases=("kitten",))], SINGLE)

    versions = {
        name: read_json(tmp_path / name / "1" / "manifest.json")["format_version"]
        for name in ("plain", "detailed")
    }
    assert versions == {"plain": 1, "detailed": 2}
    assert set(read_json(tmp_path / "plain" / "1" / LABELS_NAME)) == {
        "name",
        "version",
        "labels",
        "template_set",
        "templates",
    }


def test_templates_with_a_concept_are_read_back(tmp_path: Path) -> None:
    """Eighty of them too, which is more than a client may send."""
    prompts = template_set("imagenet80").with_concept("land use")
    LabelSetStore(tmp_path).save("land", ["forest"], prompts)

    assert LabelSetStore(tmp_path).get("land").templates == prompts


def test_the_built_in_eighty_templates_can_be_stored(tmp_path: Path) -> None:
    """The limit on templates is for clients' own."""
    LabelSetStore(tmp_path).save("many", ["cat"], template_set("imagenet80"))

    assert LabelSetStore(tmp_path).get("many").templates.name == "imagenet80"


def test_the_list_has_the_newest_versions_and_the_built_in_sets(tmp_path: Path) -> None:
    """By name; an empty store knows the built-in ones."""
    store = LabelSetStore(tmp_path / "none yet")
    assert [item.name for item in store.list()] == ["imagenet"]

    store.save("zoo", ["lion"], SINGLE)
    store.save("art", ["statue"], SINGLE)
    store.save("art", ["statue", "vase"], SINGLE)

    assert [(item.name, item.version) for item in store.list()] == [
        ("art", 2),
        ("imagenet", 1),
        ("zoo", 1),
    ]


def test_imagenet_is_open_clips_list_without_its_two_repetitions(tmp_path: Path) -> None:
    """1000 class names of which missile and sunglasses occur twice."""
    from open_clip import IMAGENET_CLASSNAMES

    imagenet = LabelSetStore(tmp_path).get("imagenet")

    assert len(imagenet.labels) == 998
    assert imagenet.labels == tuple(dict.fromkeys(IMAGENET_CLASSNAMES))
    assert LabelSetStore(tmp_path).get("imagenet@1") == imagenet


@pytest.mark.parametrize(
    "reference",
    ["cats", "pets@3", "pets@0", "pets@-1", "pets@x", "pets@", "../pets", "Pets", "", "imagenet@2"],
)
def test_what_is_not_there_is_not_found(tmp_path: Path, reference: str) -> None:
    """The message names what there is."""
    store = LabelSetStore(tmp_path)
    store.save("pets", ["cat"], SINGLE)
    store.save("pets", ["dog"], SINGLE)

    with pytest.raises(NotFoundError, match=r"pets|imagenet") as caught:
        store.get(reference)

    assert caught.value.param == "label_set"


@pytest.mark.parametrize("name", ["", "Pets", "a/b", "..", ".hidden", "a b", "x" * 65, "-a", "p@1"])
def test_a_name_is_made_of_few_characters(tmp_path: Path, name: str) -> None:
    """A name becomes a folder and part of a URL."""
    with pytest.raises(LabelSetError, match="expected 1 to 64 of a-z"):
        LabelSetStore(tmp_path).save(name, ["cat"], SINGLE)

    assert list(tmp_path.iterdir()) == []


def test_the_names_of_built_in_sets_are_taken(tmp_path: Path) -> None:
    """``imagenet`` means the same in every store."""
    with pytest.raises(LabelSetError, match="built-in"):
        LabelSetStore(tmp_path).save("imagenet", ["cat"], SINGLE)


def test_bad_labels_store_nothing(tmp_path: Path) -> None:
    """Labels are checked before anything is written."""
    with pytest.raises(LabelSetError, match="are the same"):
        LabelSetStore(tmp_path).save("pets", ["cat", "CAT"], SINGLE)

    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """A stored version is immutable: its digest is checked."""
    store = LabelSetStore(tmp_path)
    store.save("pets", ["cat"], SINGLE)
    path = tmp_path / "pets" / "1" / LABELS_NAME
    path.write_text(path.read_text().replace("cat", "bat"))

    with pytest.raises(IntegrityError, match="is damaged"):
        store.get("pets")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """A half-copied store says which folder is wrong."""
    (tmp_path / "pets" / "1").mkdir(parents=True)

    with pytest.raises(ArtifactError, match=r"pets/1/manifest\.json does not exist"):
        LabelSetStore(tmp_path).get("pets")


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file where the folder should be is no crash."""
    (tmp_path / "sets").write_text("in the way")

    with pytest.raises(StorageError, match="cannot be written"):
        LabelSetStore(tmp_path / "sets").save("pets", ["cat"], SINGLE)


def test_a_version_that_another_process_just_stored_is_a_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes never write into each other's version."""
    store = LabelSetStore(tmp_path)
    rename = Path.rename

    def rename_too_late(self: Path, target: Path) -> Path:
        (target / "theirs").mkdir(parents=True)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_too_late)
    with pytest.raises(ConflictError, match="save again"):
        store.save("pets", ["cat"], SINGLE)


def test_threads_that_save_at_once_get_versions_of_their_own(tmp_path: Path) -> None:
    """No version is lost or overwritten."""
    store = LabelSetStore(tmp_path)
    threads = [
        threading.Thread(target=store.save, args=("n", [f"label {number}"], SINGLE))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    labels = {store.get(f"n@{version}").labels[0] for version in range(1, 9)}
    assert labels == {f"label {number}" for number in range(8)}
