"""A held-out part of the training pairs, where none is given.

# N = pairs
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from core.errors import ConfigError
from core.pairs.captions import identity_of
from core.pairs.pair import Pair, PairList
from training.data.captions import identity_number

_FULL = float(2**63)


def split_pairs(*sources: Sequence[Pair], fraction: float) -> tuple[tuple[PairList, ...], PairList]:
    """Return the training pairs of each source and the held-out pairs of all.

    About ``fraction`` of the pairs are held out. The side of a pair is a hash of its id, so pairs
    stay where they are when others are added and whatever the seed is. Pairs with the same image
    or the same set of captions stay together, on the side of the one with the smallest hash, so
    that no answer is seen in training, not in another source either; pairs that have a class alone
    are kept together by image only.

    Raises:
        ConfigError: the fraction leaves nothing held out, or nothing of a source to train on.
    """
    pairs = [pair for source in sources for pair in source]
    held_N = iter(_is_held_out(pairs, fraction))
    heldout, training = PairList(), []
    for source in sources:
        skipped = source.skipped if isinstance(source, PairList) else {}
        training.append(PairList(skipped=skipped))
        for pair in source:
            (heldout if next(held_N) else training[-1]).append(pair)
    if not heldout or not all(training):
        raise ConfigError(
            f"data.heldout_fraction = {fraction:g} of {len(pairs)} pairs leaves "
            f"{' and '.join(str(len(part)) for part in training)} to train on and {len(heldout)} "
            "held out; change it, or give held-out pairs with --val"
        )
    return tuple(training), heldout


def _is_held_out(pairs: Sequence[Pair], fraction: float) -> list[bool]:
    roots = _groups(pairs)
    hashes = [identity_number(pair.id) for pair in pairs]
    leaders: dict[int, int] = {}
    for number, root in enumerate(roots):
        best = leaders.setdefault(root, number)
        if (hashes[number], pairs[number].id) < (hashes[best], pairs[best].id):
            leaders[root] = number
    # A second hash decides, so that a larger group is not likelier to have a small number.
    held = {
        root: identity_number(f"held out\n{pairs[leader].id}") / _FULL < fraction
        for root, leader in leaders.items()
    }
    return [held[root] for root in roots]


def _groups(pairs: Sequence[Pair]) -> list[int]:
    """Return for each pair the number of a pair of its group, the same for all of the group."""
    parents = list(range(len(pairs)))
    seen: dict[Hashable, int] = {}
    for number, pair in enumerate(pairs):
        for key in _keys(pair):
            other = seen.setdefault(key, number)
            parents[_root(parents, number)] = _root(parents, other)
    return [_root(parents, number) for number in range(len(pairs))]


def _keys(pair: Pair) -> list[Hashable]:
    keys: list[Hashable] = [("image", str(pair.image))]
    if pair.captions:
        keys.append(("captions", frozenset(identity_of(text) for text in pair.captions)))
    return keys


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number
