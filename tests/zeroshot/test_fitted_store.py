"""Rules of zeroshot.fitted_store, fitting and fitted_classifier: real folders."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactError, EncoderMismatchError, IntegrityError, UsageError
from tests.zeroshot.few_shot_worlds import LABELS, classifier, pictures
from tests.zeroshot.test_calibration import labelled
from zeroshot.calibration import CalibrationOptions, LabelledImages
from zeroshot.few_shot import Examples, HeadChoice
from zeroshot.fitted_classifier import LabelUse, fitted_classifier
from zeroshot.fitted_store import FittedStore, StoredHead
from zeroshot.fitting import add_calibration, add_examples, is_among
from zeroshot.label_sets import LabelSet, LabelSetStore
from zeroshot.templates import template_set

ENCODER = classifier().encoder_id
ROOT = Path(__file__).parent.parent.parent
OTHER_PROCESS = """
import sys
from pathlib import Path
from tests.zeroshot.few_shot_worlds import classifier, pictures
from zeroshot.fitted_store import FittedStore
from zeroshot.fitting import add_examples
from zeroshot.label_sets import LabelSetStore

folder = Path(sys.argv[1])
store, label_set = FittedStore(folder), LabelSetStore(folder).get("pets")
print("ready", flush=True)
sys.stdin.readline()
for seed in range(100, 110):
    add_examples(store, label_set, classifier(), pictures((1, 1, 1), seed=seed), kind="text")
"""


def stores(folder: Path) -> tuple[FittedStore, LabelSet]:
    """Return a label set of three labels, and the store beside it."""
    label_set = LabelSetStore(folder).save("pets", LABELS, template_set("single"))
    return FittedStore(folder), label_set


def learnt(store: FittedStore, label_set: LabelSet, kind: HeadChoice = "best") -> StoredHead:
    """Add 24 examples."""
    return add_examples(store, label_set, classifier(), pictures(), kind=kind)


@pytest.mark.parametrize("kind", ["text", "class_means", "tip_adapter", "logistic"])
def test_a_head_is_read_back_by_another_store(tmp_path: Path, kind: HeadChoice) -> None:
    """With everything that is known of it; its scores are bit-equal."""
    store, label_set = stores(tmp_path)
    saved = learnt(store, label_set, kind)

    read = FittedStore(tmp_path).head(label_set, ENCODER)

    assert read is not None
    assert (read.number, read.fit.head.kind) == (1, kind)
    for field in ("parameters", "accuracy", "accuracies", "gain_interval", "shots", "skipped"):
        assert getattr(read.fit, field) == getattr(saved.fit, field)
    np.testing.assert_array_equal(read.examples.labels_K, saved.examples.labels_K)
    images_ND = pictures(seed=3).embeddings_KD
    use = LabelUse(label_set, label_set.templates.digest)
    for other in (store, FittedStore(tmp_path)):
        found = fitted_classifier(other, classifier(), use).classifier.classify(images_ND)
        text_NC = images_ND.astype(np.float64)[:, :3]
        cosines_NC = saved.fit.head.cosines(images_ND.astype(np.float64), text_NC)
        expected_NC = saved.fit.head.logits(images_ND.astype(np.float64), cosines_NC, 20.0)
        np.testing.assert_allclose(found.logits_NC, expected_NC, atol=1e-12)


@pytest.mark.parametrize("mode", ["single", "multi"])
def test_a_calibration_is_read_back_by_another_store(tmp_path: Path, mode: str) -> None:
    """Temperature, rules, least scores, lines and conformal scores."""
    store, label_set = stores(tmp_path)
    options = CalibrationOptions(
        mode="multi" if mode == "multi" else "single", target_precision=0.9, conformal="aps"
    )
    saved = add_calibration(
        store, label_set, classifier(), labelled(unknown=20), options=options
    ).calibration

    read = FittedStore(tmp_path).calibration(label_set, ENCODER, options.mode)

    assert read is not None
    found = read.calibration
    assert (found.options, found.temperature, found.rules) == (
        saved.options,
        saved.temperature,
        saved.rules,
    )
    assert dict(found.label_scores) == dict(saved.label_scores)
    assert found.warnings == saved.warnings
    if saved.conformal is not None and found.conformal is not None:
        np.testing.assert_array_equal(found.conformal.scores_N, saved.conformal.scores_N)
    if saved.platt is not None and found.platt is not None:
        np.testing.assert_array_equal(found.platt.slopes_C, saved.platt.slopes_C)
    assert (found.conformal is None) == (found.platt is not None) == (mode == "multi")


def test_examples_add_up_and_a_repeated_one_takes_its_new_label(tmp_path: Path) -> None:
    """Two parts make the head of both; the first part again adds nothing."""
    store, label_set = stores(tmp_path)
    first, second = pictures((4, 4, 4)), pictures((3, 3, 3), seed=2)
    learnt_first = add_examples(store, label_set, classifier(), first)
    both = add_examples(store, label_set, classifier(), second)
    again = add_examples(
        store,
        label_set,
        classifier(),
        Examples(first.embeddings_KD, (first.labels_K + 1) % 3),
    )

    assert [head.number for head in (learnt_first, both, again)] == [1, 2, 3]
    assert (both.fit.examples, again.fit.examples) == (21, 21)
    moved = is_among(again.examples.embeddings_KD, first.embeddings_KD)
    np.testing.assert_array_equal(again.examples.labels_K[moved], (first.labels_K + 1) % 3)


def test_examples_that_come_at_once_are_all_kept(tmp_path: Path) -> None:
    """Each head is fitted on those of the one before it, also when eight threads add some."""
    store, label_set = stores(tmp_path)

    def add(seed: int) -> None:
        add_examples(store, label_set, classifier(), pictures((1, 1, 1), seed=seed), kind="text")

    threads = [threading.Thread(target=add, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    newest = store.head(label_set, ENCODER)
    assert newest is not None
    assert (newest.number, newest.fit.examples) == (8, 24)


@pytest.mark.slow
def test_examples_of_another_process_are_all_kept(tmp_path: Path) -> None:
    """A command beside a server: each fit waits for the other's and builds on it."""
    store, label_set = stores(tmp_path)
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("begin\n")
        other.stdin.flush()
        for seed in range(10):
            examples = pictures((1, 1, 1), seed=seed)
            add_examples(store, label_set, classifier(), examples, kind="text")
        other.communicate()

    newest = store.head(label_set, ENCODER)
    assert other.returncode == 0
    assert newest is not None
    assert (newest.number, newest.fit.examples) == (20, 60)


def test_replace_forgets_what_was_given_before(tmp_path: Path) -> None:
    """Of examples and of images to calibrate on."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)
    options = CalibrationOptions()
    add_calibration(store, label_set, classifier(), labelled(5), options=options)

    head = add_examples(store, label_set, classifier(), pictures((2, 2, 2), seed=4), replace=True)
    fitted = add_calibration(
        store, label_set, classifier(), labelled(4, seed=8), options=options, replace=True
    )

    assert head.fit.examples == 6
    assert fitted.calibration.known == 12


def test_examples_of_the_head_do_not_calibrate_it(tmp_path: Path) -> None:
    """It is surer on those than on new pictures; a warning counts them."""
    store, label_set = stores(tmp_path)
    head = learnt(store, label_set, "tip_adapter")
    examples = head.examples
    new = labelled(10, seed=6)
    mixed = LabelledImages(
        np.concatenate([new.embeddings_ND, examples.embeddings_KD]),
        np.concatenate([new.holds_NC, np.eye(3, dtype=np.bool_)[examples.labels_K]]),
    )

    found = add_calibration(store, label_set, classifier(), mixed, options=CalibrationOptions())

    assert found.calibration.known == 30
    assert "24 images are examples of the head" in found.calibration.warnings[-1]


def test_a_calibration_of_another_head_is_not_used(tmp_path: Path) -> None:
    """New examples change the scores: a warning asks to calibrate again."""
    store, label_set = stores(tmp_path)
    use = LabelUse(label_set, label_set.templates.digest)
    add_calibration(store, label_set, classifier(), labelled(10), options=CalibrationOptions())
    before = fitted_classifier(store, classifier(), use)
    learnt(store, label_set)

    after = fitted_classifier(store, classifier(), use)
    without = fitted_classifier(
        store, classifier(), LabelUse(label_set, label_set.templates.digest, use_head=False)
    )

    assert before.calibration is not None
    assert after.calibration is None
    assert "was fitted with head 0, and head 1 is in use" in after.warnings[0]
    assert without.calibration is not None


def test_fits_hold_for_the_prompts_and_views_that_they_were_made_with(tmp_path: Path) -> None:
    """Other templates: neither. Several views: the head, not the calibration. Both are told."""
    store, label_set = stores(tmp_path)
    digest = label_set.templates.digest
    learnt(store, label_set, "class_means")
    add_calibration(
        store, label_set, classifier(), labelled(10, seed=2), options=CalibrationOptions()
    )

    other = fitted_classifier(store, classifier(), LabelUse(label_set, template_set("name").digest))
    views = fitted_classifier(store, classifier(), LabelUse(label_set, digest, crops=5))
    usual = fitted_classifier(store, classifier(), LabelUse(label_set, digest))

    assert (other.head, other.calibration) == (None, None)
    assert "not used with other prompts" in other.warnings[0]
    assert views.head is not None
    assert views.calibration is None
    assert "crops 1" in views.warnings[0]
    assert usual.calibration is not None
    assert usual.head_object() == {"number": 1, "kind": "class_means"}


def test_examples_of_another_encoder_are_a_conflict(tmp_path: Path) -> None:
    """The message names both ids and the remedies; without the head there is none."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)

    with pytest.raises(EncoderMismatchError, match=f"by {ENCODER}, but the model is 0123.*again"):
        store.head(label_set, "0123456789abcdef")
    assert store.calibration(label_set, "0123456789abcdef", "single") is None


def test_examples_are_given_again_under_another_encoder(tmp_path: Path) -> None:
    """The remedy of the conflict; the head of the first encoder stays beside it."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)
    other = dataclasses.replace(classifier(), encoder_id="0123456789abcdef")

    add_examples(store, label_set, other, pictures((2, 2, 2)))

    newer, older = store.head(label_set, other.encoder_id), store.head(label_set, ENCODER)
    assert newer is not None
    assert older is not None
    assert (newer.number, newer.fit.examples) == (1, 6)
    assert (older.number, older.fit.examples) == (1, 24)


def test_each_version_of_a_label_set_has_its_own_fits(tmp_path: Path) -> None:
    """A new version starts with its texts alone; the old one keeps what it learnt."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)
    newer = LabelSetStore(tmp_path).save("pets", [*LABELS, "fish"], template_set("single"))

    assert store.head(newer, ENCODER) is None
    assert store.head(label_set, ENCODER) is not None
    assert [item.name for item in LabelSetStore(tmp_path).list()] == ["imagenet", "pets"]


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    """In the arrays and in the JSON, named by file."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)
    (folder,) = (tmp_path / "pets" / "heads").iterdir()
    for name in ("arrays.npz", "fitted.json"):
        path = folder / "1" / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(bytes(data))
        with pytest.raises(IntegrityError, match=name):
            FittedStore(tmp_path).head(label_set, ENCODER)
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))

    assert FittedStore(tmp_path).head(label_set, ENCODER) is not None


def test_a_fit_of_other_labels_is_refused(tmp_path: Path) -> None:
    """A folder that was moved under another label set does not answer for it."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)
    other = LabelSetStore(tmp_path).save("cars", ["a", "b", "c"], template_set("single"))
    (tmp_path / "pets" / "heads").rename(tmp_path / "cars" / "heads")

    with pytest.raises(IntegrityError, match="fitted for other labels"):
        store.head(other, ENCODER)


def test_a_folder_that_is_no_fit_is_refused(tmp_path: Path) -> None:
    """An unfinished or foreign folder is named."""
    store, label_set = stores(tmp_path)
    (tmp_path / "pets" / "heads" / f"1-{ENCODER}" / "1").mkdir(parents=True)

    with pytest.raises(ArtifactError, match=r"manifest\.json does not exist"):
        store.head(label_set, ENCODER)


def test_a_fit_is_read_from_the_disk_once(tmp_path: Path) -> None:
    """Later requests find it in memory: the very same object."""
    store, label_set = stores(tmp_path)
    learnt(store, label_set)

    assert store.head(label_set, ENCODER) is store.head(label_set, ENCODER)


def test_too_many_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ones given before."""
    monkeypatch.setattr("zeroshot.fitting.MAX_IMAGES", 30)
    store, label_set = stores(tmp_path)
    learnt(store, label_set)

    with pytest.raises(UsageError, match="48 images with the ones given before, the limit is 30"):
        add_examples(store, label_set, classifier(), pictures(seed=1))
