"""Arrays that are computed once and kept on disk, in parts that are each whole or not there.

The name of a part is a digest of everything that it depends on, so a part is never wrong: what
changed has another name and is computed, what did not is found. Work that was broken off goes on
with the first part that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.artifacts import canonical_json, new_artifact, read_manifest, sha256_bytes, verify_files
from core.errors import ArtifactError, IntegrityError, TrainingError
from core.types import JSONObject

Arrays: TypeAlias = dict[str, NDArray[Any]]
"""By name; none may hold Python objects."""

FORMAT_VERSION = 1
_NAME_DIGITS = 32


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """Where parts of one kind lie."""

    folder: Path
    """May be shared by data sets and runs; parts that nothing uses may be deleted at any time."""
    kind: str
    """Of the artifacts."""

    def path(self, key: JSONObject) -> Path:
        """Return where the part of a key lies, or would."""
        return self.folder / sha256_bytes(canonical_json(key))[:_NAME_DIGITS]

    def open(self, key: JSONObject, make: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
        """Return the arrays of a key, mapped from disk; ``make`` computes those not there.

        Raises:
            IntegrityError: the part on disk is damaged.
            TrainingError: the disk refuses it.
        """
        target = self.path(key)
        if not target.exists():
            self._write(target, make())
        manifest = read_manifest(target, kind=self.kind, format_version=FORMAT_VERSION)
        try:
            verify_files(target, manifest)
        except IntegrityError as error:
            raise IntegrityError(f"{error}. It can be computed again: delete {target}") from error
        return {
            Path(name).stem: np.load(target / name, mmap_mode="r", allow_pickle=False)
            for name in manifest.files
        }

    def _write(self, target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        try:
            with new_artifact(target, kind=self.kind, format_version=FORMAT_VERSION) as folder:
                for name, array in arrays.items():
                    np.save(folder / f"{name}.npy", array, allow_pickle=False)
        except (OSError, ArtifactError) as error:
            if target.exists():
                # Another run was quicker with the same part.
                return
            raise TrainingError(
                f"cannot write {target}: {error}. Make room; what is finished is kept"
            ) from error
