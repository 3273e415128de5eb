"""Embeddings on disk: one ``.npz`` without objects, read without a model.

    about         kind, version, pairs, failed images, prompts, provenance, digests
    images_GD, places_G, captions_CD, prompts_PD, starts_C

The same embeddings are the same bytes. Vectors are float32; ``about`` is strict JSON in uint8.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artifacts import canonical_json, sha256_bytes, write_atomic
from core.errors import ArtifactError, IntegrityError
from core.pairs.pair import Pair
from core.types import JSONObject, JSONValue
from evaluation.embeddings import Embeddings
from evaluation.images import EmbeddedImages, FailedImage
from evaluation.prompts import Prompts
from evaluation.provenance import Provenance
from zeroshot.labels import Label
from zeroshot.templates import TemplateSet

KIND = "embeddings"
FORMAT_VERSION = 1

_Arrays = dict[str, NDArray[Any]]


def write_embeddings(embeddings: Embeddings, path: Path) -> None:
    """Write all of it as one new file.

    Raises:
        ArtifactError: the file exists already, or its name does not end in ``.npz``.
    """
    refuse_target(path)
    arrays = _arrays_of(embeddings)
    about = _about(embeddings, arrays)
    packed: _Arrays = {"about": np.frombuffer(canonical_json(about), np.uint8), **arrays}
    buffer = io.BytesIO()
    # Plain arrays need no pickle, and numpy gives the entries of the zip a fixed date.
    np.savez(buffer, **packed)  # type: ignore[arg-type]  # its stub takes names for options
    write_atomic(path, buffer.getvalue())


def refuse_target(path: Path) -> None:
    """Say before the work, not after it, that embeddings could not be written there.

    Raises:
        ArtifactError: the file exists already, or its name does not end in ``.npz``.
    """
    if path.suffix != ".npz":
        raise ArtifactError(f"{path}: embeddings are written as .npz; give such a name")
    if path.exists():
        raise ArtifactError(f"{path} exists already; embeddings are immutable, choose a new name")


def read_embeddings(path: Path) -> Embeddings:
    """Read a file of :func:`write_embeddings`; every array is checked against its sha256.

    Raises:
        ArtifactError: the file is missing, is something else or of another version.
        IntegrityError: it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(bytes(arrays.pop("about").tobytes()))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist") from error
    except zipfile.BadZipFile as error:
        raise IntegrityError(f"{path} is damaged or no .npz file: {error}") from error
    except (ValueError, KeyError, OSError) as error:
        raise ArtifactError(
            f"{path} holds no embeddings of Sightline: {error}; write it with: sightline evaluate "
            "embed"
        ) from error
    _check(path, about, arrays)
    return _embeddings(about, arrays)


def _arrays_of(embeddings: Embeddings) -> _Arrays:
    arrays: _Arrays = {
        "images_GD": embeddings.images.embeddings_GD,
        "places_G": np.array(embeddings.images.places_G, np.int64),
        "captions_CD": embeddings.captions_CD,
    }
    if embeddings.prompts is not None:
        arrays["prompts_PD"] = embeddings.prompts.prompts_PD
        arrays["starts_C"] = embeddings.prompts.starts_C
    return arrays


def _about(embeddings: Embeddings, arrays: _Arrays) -> JSONObject:
    prompts = embeddings.prompts
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "arrays": {name: _digest(array) for name, array in arrays.items()},
        "pairs": [_pair_json(pair) for pair in embeddings.pairs],
        "image_digests": list(embeddings.images.digests_N),
        "failed": [
            {
                "place": item.place,
                "image": str(item.image),
                "code": item.code,
                "message": item.message,
            }
            for item in embeddings.images.failed
        ],
        "prompts": None
        if prompts is None
        else {
            "labels": [
                {
                    "text": label.text,
                    "aliases": list(label.aliases),
                    "prompts": list(label.prompts),
                    "background": label.background,
                }
                for label in prompts.labels
            ],
            "name": prompts.templates.name,
            "templates": list(prompts.templates.templates),
            "digest": prompts.templates.digest,
        },
        "provenance": dataclasses.asdict(embeddings.provenance),
        "skipped": dict(embeddings.skipped),
    }


def _pair_json(pair: Pair) -> JSONValue:
    return {
        "id": pair.id,
        "image": str(pair.image),
        "captions": list(pair.captions),
        "label": pair.label,
        "metadata": pair.metadata,
    }


def _digest(array: NDArray[Any]) -> str:
    head = f"{array.dtype.str} {array.shape} ".encode()
    return sha256_bytes(head + np.ascontiguousarray(array).tobytes())


def _check(path: Path, about: JSONObject, arrays: _Arrays) -> None:
    kind, version = about.get("kind"), about.get("format_version")
    if (kind, version) != (KIND, FORMAT_VERSION):
        raise ArtifactError(
            f"{path} holds {kind!r} of version {version!r}; this release reads {KIND!r} of version "
            f"{FORMAT_VERSION}: embed the data again"
        )
    expected = about["arrays"]
    found = {name: _digest(array) for name, array in arrays.items()}
    if found != expected:
        raise IntegrityError(f"{path} is damaged: its arrays are not the ones that were written")


def _embeddings(about: JSONObject, arrays: _Arrays) -> Embeddings:
    # The digests were right, so the fields are as ``write_embeddings`` made them.
    fields: Any = about
    images = EmbeddedImages(
        places_G=tuple(arrays["places_G"].tolist()),
        embeddings_GD=arrays["images_GD"].astype(np.float32),
        digests_N=tuple(fields["image_digests"]),
        failed=tuple(
            FailedImage(item["place"], Path(item["image"]), item["code"], item["message"])
            for item in fields["failed"]
        ),
    )
    return Embeddings(
        pairs=tuple(
            Pair(
                id=pair["id"],
                image=Path(pair["image"]),
                captions=tuple(pair["captions"]),
                label=pair["label"],
                metadata=pair["metadata"],
            )
            for pair in fields["pairs"]
        ),
        images=images,
        captions_CD=arrays["captions_CD"].astype(np.float32),
        prompts=_prompts(fields["prompts"], arrays),
        provenance=Provenance(**fields["provenance"]),
        skipped=fields["skipped"],
    )


def _prompts(fields: Any, arrays: _Arrays) -> Prompts | None:
    if fields is None:
        return None
    return Prompts(
        labels=tuple(
            Label(
                label["text"],
                tuple(label["aliases"]),
                tuple(label["prompts"]),
                label["background"],
            )
            for label in fields["labels"]
        ),
        templates=TemplateSet(fields["name"], tuple(fields["templates"]), fields["digest"]),
        prompts_PD=arrays["prompts_PD"].astype(np.float32),
        starts_C=arrays["starts_C"],
    )
