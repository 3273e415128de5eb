"""What a filter leaves: pairs that go on, pairs that went with the reason, and a report beside.

kept.jsonl           read by every command, as any JSONL of pairs
kept.dropped.jsonl   the others in the same form, each with ``reason``
kept.report.json     counts and settings
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.artifacts import sha256_bytes, write_atomic, write_json
from core.errors import ConflictError, UsageError
from core.pairs.pair import Pair
from core.types import JSONObject
from encoders.decoding import read_image_file, sniff_format

_NAME_DIGITS = 24


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A pair, and what was decided."""

    pair: Pair
    reason: str = ""
    """Why it goes; empty for a pair that is kept."""
    extra: JSONObject = field(default_factory=dict)
    """More fields of its line, for example ``score``; reading pairs ignores them."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """The three files of a result."""

    kept: Path
    dropped: Path
    report: Path
    pictures: Path

    @classmethod
    def at(cls, out: Path) -> KeptFiles:
        """Return the names beside ``out``.

        Raises:
            UsageError: ``out`` does not end in ``.jsonl``.
            ConflictError: one of the files exists already.
        """
        if out.suffix != ".jsonl":
            raise UsageError(f"--out {out}: expected a name that ends in .jsonl")
        names = (".dropped.jsonl", ".report.json", ".pictures")
        files = cls(out, *(out.with_suffix(name) for name in names))
        for path in (files.kept, files.dropped, files.report, files.pictures):
            if path.exists():
                raise ConflictError(
                    f"{path} exists already and is not overwritten; choose another --out"
                )
        return files

    def write(self, judged: Iterable[JudgedPair], report: JSONObject) -> None:
        """Write all three in the order of the data, ``kept`` last."""
        kept: list[str] = []
        dropped: list[str] = []
        for one in judged:
            if one.reason:
                dropped.append(_line(one, self._place(one.pair)))
            else:
                kept.append(_line(one, self._place(one.pair) or self._taken_out(one.pair)))
        write_json(self.report, report)
        write_atomic(self.dropped, "".join(dropped).encode())
        write_atomic(self.kept, "".join(kept).encode())

    def _place(self, pair: Pair) -> str:
        """Return how ``kept`` names a file, relative where it lies inside; "" in a container."""
        if not isinstance(pair.image, Path):
            return ""
        # Not resolved: a link stays what it is.
        image = Path(os.path.abspath(pair.image))  # noqa: PTH100
        folder = Path(os.path.abspath(self.kept.parent))  # noqa: PTH100
        if image.is_relative_to(folder):
            return image.relative_to(folder).as_posix()
        return str(image)

    def _taken_out(self, pair: Pair) -> str:
        """Write a picture out of its container, named by its content, and return its place."""
        data = read_image_file(pair.image)
        name = f"{sha256_bytes(data)[:_NAME_DIGITS]}.{(sniff_format(data) or 'bin').lower()}"
        self.pictures.mkdir(parents=True, exist_ok=True)
        (self.pictures / name).write_bytes(data)
        return f"{self.pictures.name}/{name}"


def _line(judged: JudgedPair, image: str) -> str:
    """Return the JSON line of a pair."""
    pair = judged.pair
    fields: JSONObject = {
        "id": pair.id,
        "image": image or str(pair.image),
        "captions": list(pair.captions),
    }
    if pair.label:
        fields["label"] = pair.label
    if pair.metadata:
        fields["metadata"] = pair.metadata
    fields |= judged.extra
    if judged.reason:
        fields["reason"] = judged.reason
    return json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n"
