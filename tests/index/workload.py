"""Writes whose every outcome can be told afterwards: the model behind the tests of faults.

# N = items, D = embedding dimension

The vector of an item follows from its id and version, so a naive model of a collection is a
dictionary from id to version.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from core.types import FloatArray
from index.collection import Collection
from tests.index.builders import new_item, open_collection, random_units

DIM = 16
MOST_ITEMS = 900
"""So that one page of a search holds them all."""
Model = dict[str, int]
"""Id to version of every item."""
Operation = dict[str, Any]
"""``{"put": [[id, version], ...]}``, ``{"drop": [id, ...]}`` or ``{"snapshot": true}``."""


def open_small(folder: Path, *, read_only: bool = False) -> Collection:
    """Open a collection of this module's dimension."""
    return open_collection(folder, dim=DIM, read_only=read_only)


@cache
def vector_of(name: str, version: int) -> FloatArray:
    """Return the embedding (D,) of one version of an item."""
    return random_units(1, DIM, seed=zlib.crc32(f"{name} {version}".encode()))[0]


def draw(
    rng: random.Random,
    model: Model,
    *,
    prefix: str = "",
    snapshots: bool = True,
    names: int = MOST_ITEMS // 2,
) -> Operation:
    """Return a random operation for a collection that holds ``model``."""
    kind = rng.random()
    if snapshots and kind < 0.08:
        return {"snapshot": True}
    if model and (kind < 0.3 or len(model) > MOST_ITEMS):
        return {"drop": rng.sample(sorted(model), min(len(model), rng.randint(1, 5)))}
    chosen = {f"{prefix}{rng.randrange(names):03}" for _ in range(rng.randint(1, 4))}
    return {"put": [[name, rng.randrange(2**31)] for name in sorted(chosen)]}


def execute(collection: Collection, operation: Operation) -> None:
    """Run an operation; it is acknowledged when this returns."""
    if "put" in operation:
        collection.upsert(
            [
                new_item(
                    name,
                    vector_of(name, version),
                    digest=f"{version}",
                    metadata={"version": version, "even": version % 2 == 0},
                )
                for name, version in operation["put"]
            ]
        )
    elif "drop" in operation:
        collection.delete(operation["drop"])
    else:
        collection.snapshot()


def applied(model: Model, operation: Operation) -> Model:
    """Return the model after an operation."""
    dropped = set(operation.get("drop", ()))
    kept = {name: version for name, version in model.items() if name not in dropped}
    return kept | dict(operation.get("put", ()))


def allowed_models(lines: Sequence[str], start: Model) -> list[Model]:
    """Return what a collection may hold, given what its writer said before it died.

    Each operation is a line of JSON when it began, and ``done`` when it was acknowledged; the last
    one may have been lost, or kept whole.
    """
    model, begun = start, None
    for line in lines:
        if line == "done":
            assert begun is not None
            model, begun = applied(model, begun), None
        else:
            begun = json.loads(line)
    return [model] if begun is None else [model, applied(model, begun)]


def stored(collection: Collection) -> Model:
    """Return what a collection holds, read page by page."""
    held: Model = {}
    cursor = None
    while True:
        page = collection.scroll(cursor=cursor, limit=1000)
        for item in page.items:
            version = item.metadata["version"]
            assert isinstance(version, int)
            held[item.id] = version
        cursor = page.cursor
        if cursor is None:
            return held


def brute_force(model: Model, query_D: FloatArray) -> list[str]:
    """Return every id of a model, best score first, then by id."""
    names = sorted(model)
    if not names:
        return []
    vectors_ND = np.stack([vector_of(name, model[name]) for name in names])
    scores_N = np.sum(vectors_ND.astype(float) * query_D.astype(float), axis=1).astype(np.float32)
    return [names[place] for place in np.argsort(-scores_N, kind="stable")]


def check_whole(collection: Collection, model: Model, *, seed: int, probes: int = 5) -> None:
    """Assert that search returns exactly the items of a model, in the order of brute force.

    Some items are searched by their own vector and must be at rank 1.
    """
    assert collection.damaged == ()
    assert collection.count() == len(model)
    query_D = random_units(1, DIM, seed=seed)[0]
    found = [hit.id for hit in collection.search(query_D, k=1000).hits]
    assert found == brute_force(model, query_D)
    assert [hit.id for hit in collection.search(query_D, k=10).hits] == found[:10]
    rng = random.Random(seed)
    for name in rng.sample(sorted(model), min(len(model), probes)):
        (hit,) = collection.search(vector_of(name, model[name]), k=1).hits
        assert hit.id == name
        assert abs(hit.score - 1) < 1e-6
