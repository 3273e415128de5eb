"""What was fitted on images for a label set, stored beside it: heads and calibrations.

    <label sets>/<name>/.fitting.lock
    <label sets>/<name>/heads/<version>-<encoder id>/<number>/
    <label sets>/<name>/calibrations/<version>-<encoder id>-<mode>/<number>/

Each is an artifact of one JSON file and one npz without objects. A fit never changes; the one with
the highest number is in force. It belongs to one version of the label set and to one encoder.
"""

from __future__ import annotations

import errno
import re
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.artifacts import new_artifact, read_json, read_manifest, verify_files, write_json
from core.errors import (
    ArtifactError,
    ConflictError,
    EncoderMismatchError,
    IntegrityError,
    StorageError,
    StorageFullError,
)
from core.locks import holding
from core.types import JSONObject
from zeroshot.calibration import Calibration, LabelledImages
from zeroshot.classifier import Mode
from zeroshot.few_shot import Examples, HeadFit
from zeroshot.fitted_objects import (
    Arrays,
    calibration_arrays,
    calibration_object,
    head_arrays,
    head_object,
    read_calibration,
    read_head,
)
from zeroshot.label_sets import LabelSet

HEAD_KIND, CALIBRATION_KIND = "label-set-head", "label-set-calibration"
FORMAT_VERSION = 1

LONGEST_WAIT_S = 120.0
"""Seconds that one fit waits for another; logistic regression on 10,000 images takes less."""

_LOCK_NAME = ".fitting.lock"
_FITTED_NAME, _ARRAYS_NAME = "fitted.json", "arrays.npz"
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_KEPT_IN_MEMORY = 64

FittedT = TypeVar("FittedT")


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A head and the examples that it was fitted on."""

    number: int
    """1 for the first head of this label set version and encoder."""
    fit: HeadFit
    examples: Examples


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A calibration and the images that it was fitted on."""

    number: int
    calibration: Calibration
    images: LabelledImages
    head: int
    """Number of the head that was in force; 0 for the texts alone."""


class FittedStore:
    """The fits beside the label sets of one folder. Any thread may call it."""

    def __init__(self, folder: Path) -> None:
        """Use the folder of a ``LabelSetStore``."""
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: OrderedDict[Path, object] = OrderedDict()

    @contextmanager
    def fitting(self, label_set: LabelSet) -> Iterator[None]:
        """Hold the right to fit a label set: from reading the fit in force to storing the next.

        Other threads and other processes wait, for example a command beside a server: each fit
        builds on the one before it, and nobody's images are lost.

        Raises:
            ConflictError: another one has been fitting for longer than a fit should take.
            StorageError: the lock file cannot be made.
        """
        folder = self._folder / label_set.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder} cannot be made: {error}") from error
        what = f"{label_set.name} is being fitted"
        with holding(folder / _LOCK_NAME, what=what, wait_s=LONGEST_WAIT_S):
            yield

    def head(self, label_set: LabelSet, encoder_id: str) -> StoredHead | None:
        """Return the head in force, or ``None`` if examples were never given.

        Raises:
            EncoderMismatchError: there are heads, but for other encoders only.
            ArtifactError: its folder is damaged.
        """
        found = self.own_head(label_set, encoder_id)
        if found is None:
            parent = self._folder / label_set.name / "heads"
            self._refuse_other_encoders(parent, label_set, encoder_id)
        return found

    def own_head(self, label_set: LabelSet, encoder_id: str) -> StoredHead | None:
        """Return the head in force for an encoder, whatever there is for others.

        Raises:
            ArtifactError: its folder is damaged.
        """
        own = f"{label_set.version}-{encoder_id}"
        folder = self._folder / label_set.name / "heads" / own
        number = _newest(folder)
        if number == 0:
            return None
        return self._load(folder / str(number), HEAD_KIND, label_set, _stored_head)

    def calibration(
        self, label_set: LabelSet, encoder_id: str, mode: Mode
    ) -> StoredCalibration | None:
        """Return the calibration in force for a mode, or ``None``.

        Raises:
            ArtifactError: its folder is damaged.
        """
        folder = self._calibrations(label_set, encoder_id, mode)
        number = _newest(folder)
        if number == 0:
            return None
        return self._load(folder / str(number), CALIBRATION_KIND, label_set, _stored_calibration)

    def save_head(
        self, label_set: LabelSet, encoder_id: str, fit: HeadFit, examples: Examples
    ) -> StoredHead:
        """Store a head, which is then in force.

        Raises:
            ConflictError: another process stored one at the same moment; try again.
            StorageError: the folder cannot be written.
        """
        folder = self._folder / label_set.name / "heads" / f"{label_set.version}-{encoder_id}"
        content, arrays = head_object(fit), head_arrays(fit, examples)
        identity: JSONObject = {"encoder_id": encoder_id, "label_set": label_set.digest}
        number = self._write(folder, HEAD_KIND, identity, content=content, arrays=arrays)
        return StoredHead(number, fit, examples)

    def save_calibration(
        self,
        label_set: LabelSet,
        encoder_id: str,
        calibration: Calibration,
        images: LabelledImages,
        *,
        head: int,
    ) -> StoredCalibration:
        """Store a calibration, which is then in force for its mode.

        Raises:
            ConflictError: another process stored one at the same moment; try again.
            StorageError: the folder cannot be written.
        """
        folder = self._calibrations(label_set, encoder_id, calibration.options.mode)
        content = {**calibration_object(calibration), "head": head}
        arrays = calibration_arrays(calibration) | {
            "images_ND": images.embeddings_ND,
            "holds_NC": images.holds_NC,
        }
        identity: JSONObject = {"encoder_id": encoder_id, "label_set": label_set.digest}
        number = self._write(folder, CALIBRATION_KIND, identity, content=content, arrays=arrays)
        return StoredCalibration(number, calibration, images, head)

    def _calibrations(self, label_set: LabelSet, encoder_id: str, mode: Mode) -> Path:
        own = f"{label_set.version}-{encoder_id}-{mode}"
        return self._folder / label_set.name / "calibrations" / own

    def _refuse_other_encoders(self, parent: Path, label_set: LabelSet, encoder_id: str) -> None:
        start = f"{label_set.version}-"
        names = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
        others = sorted(name.removeprefix(start) for name in names if name.startswith(start))
        if others:
            raise EncoderMismatchError(
                f"the examples of {label_set.reference} were embedded by {', '.join(others)}, but "
                f"the model is {encoder_id}; add the examples again, or classify with use_head "
                "false",
                param="label_set",
            )

    def _write(
        self, folder: Path, kind: str, identity: JSONObject, *, content: JSONObject, arrays: Arrays
    ) -> int:
        with self._lock:
            number = _newest(folder) + 1
            target = folder / str(number)
            try:
                with new_artifact(
                    target, kind=kind, format_version=FORMAT_VERSION, extra=identity
                ) as temporary:
                    write_json(temporary / _FITTED_NAME, content)
                    np.savez(temporary / _ARRAYS_NAME, **arrays)  # type: ignore[arg-type]  # names are ours
            except OSError as error:
                if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
                    raise ConflictError(f"{target} was stored just now; try again") from error
                if error.errno == errno.ENOSPC:
                    raise StorageFullError(f"the disk is full, {target} was not stored") from error
                raise StorageError(f"{target} cannot be written: {error}") from error
        return number

    def _load(
        self,
        folder: Path,
        kind: str,
        label_set: LabelSet,
        read: Callable[[int, JSONObject, Arrays], FittedT],
    ) -> FittedT:
        with self._lock:
            known = self._loaded.get(folder)
            if known is not None:
                self._loaded.move_to_end(folder)
                # A path holds one kind of fit for ever.
                return known  # type: ignore[return-value]
        manifest = read_manifest(folder, kind=kind, format_version=FORMAT_VERSION)
        verify_files(folder, manifest)
        if manifest.extra.get("label_set") != label_set.digest:
            raise IntegrityError(
                f"{folder} was fitted for other labels or templates than those of "
                f"{label_set.reference}; delete it and fit again"
            )
        content = read_json(folder / _FITTED_NAME)
        fitted = read(int(folder.name), content, _read_arrays(folder / _ARRAYS_NAME))
        with self._lock:
            self._loaded[folder] = fitted
            while len(self._loaded) > _KEPT_IN_MEMORY:
                self._loaded.popitem(last=False)
        return fitted


def _stored_head(number: int, content: JSONObject, arrays: Arrays) -> StoredHead:
    fit, examples = read_head(content, arrays)
    return StoredHead(number, fit, examples)


def _stored_calibration(number: int, content: JSONObject, arrays: Arrays) -> StoredCalibration:
    head = content.get("head")
    if "images_ND" not in arrays or "holds_NC" not in arrays or not isinstance(head, int):
        raise ArtifactError("the calibration has no images or no head; calibrate again")
    images = LabelledImages(
        np.asarray(arrays["images_ND"], np.float32), np.asarray(arrays["holds_NC"], np.bool_)
    )
    return StoredCalibration(number, read_calibration(content, arrays), images, head)


def _newest(folder: Path) -> int:
    """Return the highest number in a folder, 0 where there is none."""
    if not folder.is_dir():
        return 0
    return max(
        (int(entry.name) for entry in folder.iterdir() if _NUMBER.fullmatch(entry.name)), default=0
    )


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} cannot be read: {error}; fit again") from error
