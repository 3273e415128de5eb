"""Texts cut to the length they have, where that changes no embedding.

A caption of twelve tokens is filled up to a context of 77. A causal tower that takes the embedding
at the token that ends the text never sees the filling, and a tower that masks it ignores it: both
may be given the short text. A tower that attends to the filling (SigLIP) may not.

# B = texts, L = tokens of a text, D = embedding dim
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn
from torch.nn.functional import normalize

from encoders.torch_text_towers import OwnTextTower
from training.towers import native_text

_TOLERANCE = 1e-4
"""Greatest difference of two normalised embeddings that rounding explains."""
_IDS_AXES = 2


@dataclass(frozen=True, slots=True)
class Trimming:
    """How a text tower is given short texts."""

    lengths: Callable[[Tensor], Tensor]
    """Ids (B, L) to the number of tokens (B,) of each text that count."""
    prepare: Callable[[Tensor], Tensor]
    """Ids (B, L) to what is split by rows and cut by columns before ``embed`` sees it."""
    embed: Callable[[Tensor, Tensor], Tensor]
    """Rows of what was prepared, and their ids, to embeddings (B, D) that are not normalised."""
    context: int
    """Most tokens of a text."""
    probes: Tensor
    """(B, L) ids of texts of several lengths, to try it with."""

    def fits(self, ids_BL: Tensor) -> bool:
        """Return whether these are token ids at all: features of a cache are not."""
        return ids_BL.dtype == torch.int64 and ids_BL.ndim == _IDS_AXES


def trimming_of(model: nn.Module) -> Trimming | None:
    """Return how the texts of a model may be cut, ``None`` where that would change embeddings.

    The kind of the tower says whether it can be; texts of several lengths, embedded whole and cut,
    then show whether it is so.
    """
    trimming = _trimming(model)
    if trimming is None or not _is_exact(trimming, model):
        return None
    return trimming


def _trimming(model: nn.Module) -> Trimming | None:
    if not isinstance(model, CLIP | CustomTextCLIP):
        return None
    tower: Any = model if isinstance(model, CLIP) else model.text
    if native_text.ends_with_token(tower):
        return _native(tower)
    if isinstance(tower, OwnTextTower):
        return _own(tower)
    if isinstance(tower, HFTextEncoder) and tower.config.pad_token_id is not None:
        return _hugging_face(tower, context=int(model.context_length))
    return None


def _native(tower: Any) -> Trimming:
    def embed(tokens_BLW: Tensor, ids_BL: Tensor) -> Tensor:
        ends_B = native_text.end_positions(tower, ids_BL)
        return native_text.text_embeddings(tower, tokens_BLW, ends_B)

    # Tokens are looked up once for all parts of a batch: the gradient of the table is as large as
    # the table, for each time it is used.
    return Trimming(
        lengths=lambda ids_BL: native_text.end_positions(tower, ids_BL) + 1,
        prepare=lambda ids_BL: native_text.token_embeddings(tower, ids_BL),
        embed=embed,
        context=int(tower.positional_embedding.shape[0]),
        probes=_probes(
            tower.token_embedding.num_embeddings,
            context=int(tower.positional_embedding.shape[0]),
            end=native_text.end_token(tower),
        ),
    )


def _own(tower: OwnTextTower) -> Trimming:
    end = tower.vocab_size - 1 if tower.eos_id is None else tower.eos_id
    return Trimming(
        lengths=lambda ids_BL: tower.end_positions(ids_BL) + 1,
        prepare=_same,
        embed=lambda _, ids_BL: tower(ids_BL),
        context=tower.context_length,
        probes=_probes(tower.vocab_size, context=tower.context_length, end=end),
    )


def _hugging_face(tower: Any, *, context: int) -> Trimming:
    fill, vocabulary = int(tower.config.pad_token_id), int(tower.config.vocab_size)

    def lengths(ids_BL: Tensor) -> Tensor:
        places_L = torch.arange(1, ids_BL.shape[1] + 1, device=ids_BL.device)
        longest_B: Tensor = ((ids_BL != fill) * places_L).amax(dim=-1)
        return longest_B.clamp(min=1)

    return Trimming(
        lengths=lengths,
        prepare=_same,
        embed=lambda _, ids_BL: tower(ids_BL),
        context=context,
        probes=_probes(vocabulary, context=context, end=(fill + 1) % vocabulary, fill=fill),
    )


def _probes(vocabulary: int, *, context: int, end: int, fill: int = 0) -> Tensor:
    """Return texts of random tokens: a short one, one of half the context, and a full one."""
    generator = torch.Generator().manual_seed(0)
    lengths = (min(2, context), max(1, context // 2), context)
    ids_BL = torch.randint(vocabulary, (len(lengths), context), generator=generator)
    for row, length in enumerate(lengths):
        ids_BL[row, length - 1] = end
        ids_BL[row, length:] = fill
    return ids_BL


@torch.no_grad()
def _is_exact(trimming: Trimming, model: nn.Module) -> bool:
    """Return whether short texts alone have the embeddings that they have when filled up."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    ids_BL = trimming.probes.to(next(model.parameters()).device)
    try:
        whole_BD = normalize(model.encode_text(ids_BL), dim=-1)  # type: ignore[operator]  # a method
        for row, length in enumerate(trimming.lengths(ids_BL).tolist()):
            ids_1L = ids_BL[row : row + 1, :length]
            short_1D = normalize(trimming.embed(trimming.prepare(ids_1L), ids_1L), dim=-1)
            if not torch.allclose(whole_BD[row : row + 1], short_1D, rtol=0.0, atol=_TOLERANCE):
                return False
    finally:
        for module, was_training in modes.items():
            module.training = was_training
    return True


def _same(ids_BL: Tensor) -> Tensor:
    return ids_BL
