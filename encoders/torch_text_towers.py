"""Text towers that open_clip does not have: CBOW, LSTM and the transformer with RMSNorm.

``tower = "cbow"`` (or ``lstm``, ``rms_transformer``) in ``text_cfg`` chooses one; the other keys of
the table are the fields of its config below. open_clip itself cannot load such a model.

# N = texts, L = tokens, W = width of the tower, D = embedding dimension
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

from core.config import from_mapping
from core.errors import ConfigError

TOWER_KEY = "tower"
"""The entry of ``text_cfg`` that names one of these towers."""
TOKENIZER_KEYS = ("hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs")
"""Entries of ``text_cfg`` that choose the tokenizer, beside any tower."""
_RMS_EPS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class CbowConfig:
    """A bag of words: the mean of the tokens' embeddings, projected."""

    context_length: int = 77
    """Most tokens of a text."""
    vocab_size: int = 49408
    """Rows of the table of tokens; the tokenizer's own number."""
    width: int = 512
    """W, length of a token's embedding."""
    eos_id: int | None = None
    """Id of the token that ends a text; by default the largest id of the text, which is what
    CLIP's tokenizer has there."""

    def __post_init__(self) -> None:
        """Refuse sizes below 1."""
        _check_positive(self, ("context_length", "vocab_size", "width"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmConfig(CbowConfig):
    """Long short-term memory from left to right; its output at the end of the text is taken."""

    layers: int = 1
    """LSTMs on top of each other."""

    def __post_init__(self) -> None:
        """Refuse sizes below 1."""
        _check_positive(self, ("context_length", "vocab_size", "width", "layers"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RmsTransformerConfig(CbowConfig):
    """open_clip's causal transformer with RMSNorm in the place of every LayerNorm."""

    layers: int = 12
    """Blocks."""
    heads: int = 8
    """Attention heads; they divide the width."""
    mlp_ratio: float = 4.0
    """Width inside the feed-forward over the tower's."""

    def __post_init__(self) -> None:
        """Refuse sizes below 1, and heads that do not divide the width."""
        _check_positive(self, ("context_length", "vocab_size", "width", "layers", "heads"))
        if self.width % self.heads:
            raise ConfigError(
                f"text_cfg.heads = {self.heads} does not divide text_cfg.width = {self.width}"
            )
        if not self.mlp_ratio > 0:
            raise ConfigError(f"text_cfg.mlp_ratio = {self.mlp_ratio}: expected a number above 0")


class OwnTextTower(nn.Module):
    """What open_clip's ``CustomTextCLIP`` asks of its text tower."""

    output_tokens = False

    def __init__(self, config: CbowConfig) -> None:
        """Make the table of tokens."""
        super().__init__()
        self.context_length = config.context_length
        self.vocab_size = config.vocab_size
        self.eos_id = config.eos_id
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def lock(self, unlocked_layers: int = 0, freeze_layer_norm: bool = True) -> None:  # noqa: FBT001, FBT002 - open_clip's signature
        """Stop the learning of the whole tower.

        Raises:
            ConfigError: some layers are to stay unlocked; these towers lock as a whole here.
        """
        del freeze_layer_norm
        if unlocked_layers:
            raise ConfigError(f"unlocked_layers = {unlocked_layers}: this tower locks as a whole")
        self.requires_grad_(requires_grad=False)

    def set_grad_checkpointing(self, enable: bool = True) -> None:  # noqa: FBT001, FBT002 - open_clip's signature
        """Do nothing: no block of this tower is worth computing twice."""

    def no_weight_decay(self) -> set[str]:
        """Return the parameters that are never decayed beside biases: none."""
        return set()

    def end_positions(self, input_ids_NL: Tensor) -> Tensor:
        """Return the place (N) of the token that ends each text."""
        if self.eos_id is None:
            return input_ids_NL.argmax(dim=-1)
        return (input_ids_NL == self.eos_id).int().argmax(dim=-1)


class CbowTextTower(OwnTextTower):
    """Mean of the embeddings of all tokens up to the end of the text, both special ones included.

    The filling behind the end never counts, so texts may be trimmed exactly.
    """

    def __init__(self, config: CbowConfig, *, dim: int) -> None:
        """Make the table and the projection to ``dim``."""
        super().__init__(config)
        self.text_projection = _projection(config.width, dim)

    def forward(self, input_ids_NL: Tensor) -> Tensor:
        """Return the embeddings (N, D), not normalised."""
        tokens_NLW = self.token_embedding(input_ids_NL)
        places_L = torch.arange(input_ids_NL.shape[1], device=input_ids_NL.device)
        ends_N1 = self.end_positions(input_ids_NL).unsqueeze(-1)
        real_NL1 = (places_L <= ends_N1).to(tokens_NLW.dtype).unsqueeze(-1)
        mean_NW = (tokens_NLW * real_NL1).sum(dim=1) / real_NL1.sum(dim=1)
        embeddings: Tensor = self.text_projection(mean_NW)
        return embeddings


class LstmTextTower(OwnTextTower):
    """LSTM from left to right; the state at the end of the text, which no filling has touched."""

    def __init__(self, config: LstmConfig, *, dim: int) -> None:
        """Make the table, the LSTM and the projection to ``dim``."""
        super().__init__(config)
        self.lstm = nn.LSTM(config.width, config.width, config.layers, batch_first=True)
        self.text_projection = _projection(config.width, dim)

    def forward(self, input_ids_NL: Tensor) -> Tensor:
        """Return the embeddings (N, D), not normalised."""
        states_NLW, _ = self.lstm(self.token_embedding(input_ids_NL))
        rows_N = torch.arange(input_ids_NL.shape[0], device=input_ids_NL.device)
        last_NW = states_NLW[rows_N, self.end_positions(input_ids_NL)]
        embeddings: Tensor = self.text_projection(last_NW)
        return embeddings


def rms_transformer(config: RmsTransformerConfig, *, dim: int) -> TextTransformer:
    """Return open_clip's own text transformer, with RMSNorm (Zhang and Sennrich, 2019)."""
    return TextTransformer(
        context_length=config.context_length,
        vocab_size=config.vocab_size,
        width=config.width,
        heads=config.heads,
        layers=config.layers,
        mlp_ratio=config.mlp_ratio,
        output_dim=dim,
        pool_type="argmax" if config.eos_id is None else "eos",
        eos_id=config.eos_id or 0,
        norm_layer=functools.partial(nn.RMSNorm, eps=_RMS_EPS),
    )


_CONFIGS: dict[str, type[CbowConfig]] = {
    "cbow": CbowConfig,
    "lstm": LstmConfig,
    "rms_transformer": RmsTransformerConfig,
}


def own_tower_config(text_cfg: Mapping[str, Any]) -> CbowConfig | None:
    """Return the settings of the tower that a ``text_cfg`` names, or ``None`` for open_clip's.

    Raises:
        ConfigError: no such tower, an unknown key or a value that cannot be.
    """
    name = text_cfg.get(TOWER_KEY)
    if name is None:
        return None
    if name not in _CONFIGS:
        near = difflib.get_close_matches(str(name), _CONFIGS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(_CONFIGS)}"
        raise ConfigError(f"text_cfg.tower = {name!r}: {hint}")
    settings = {key: value for key, value in text_cfg.items() if key not in _NOT_SETTINGS}
    return from_mapping(_CONFIGS[name], settings, where=f"text_cfg of the tower {name!r}")


def build_own_tower(config: CbowConfig, *, dim: int) -> nn.Module:
    """Return the tower with random weights for embeddings of ``dim``."""
    if isinstance(config, RmsTransformerConfig):
        return cast("nn.Module", rms_transformer(config, dim=dim))
    if isinstance(config, LstmConfig):
        return LstmTextTower(config, dim=dim)
    return CbowTextTower(config, dim=dim)


_NOT_SETTINGS = frozenset({TOWER_KEY, *TOKENIZER_KEYS})


def _projection(width: int, dim: int) -> nn.Linear:
    projection = nn.Linear(width, dim, bias=False)
    nn.init.normal_(projection.weight, std=width**-0.5)
    return projection


def _check_positive(config: CbowConfig, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(config, name)
        if value < 1:
            raise ConfigError(f"text_cfg.{name} = {value}: expected 1 or more")
