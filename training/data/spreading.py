"""Equal captions in different batches, as far as their number allows.

# N = pairs of an epoch, K = full batches
"""

from __future__ import annotations

import numpy as np

from core.types import IdArray


def spread_duplicates(order_N: IdArray, groups_N: IdArray, *, batch_size: int) -> IdArray:
    """Return the same indices in an order whose full batches share out equal groups evenly.

    A group of c pairs puts at most ceil(c / K) of them into a batch. The pairs are dealt out like
    cards, group after group; groups come in the order in which ``order_N`` first meets them, so
    a random order stays random where nothing is equal. The last, smaller batch keeps its pairs:
    which pairs are left out of an epoch does not depend on their captions.

    Args:
        order_N: indices in the order of an epoch.
        groups_N: for each place of ``order_N`` a number that equal captions share.
        batch_size: pairs of a batch.
    """
    num_batches = len(order_N) // batch_size
    dealt = num_batches * batch_size
    _, first_M, member_N = np.unique(groups_N[:dealt], return_index=True, return_inverse=True)
    by_group = np.argsort(first_M[member_N], kind="stable")
    spread = order_N[:dealt][by_group].reshape(batch_size, num_batches).T.reshape(-1)
    return np.concatenate([spread, order_N[dealt:]])
