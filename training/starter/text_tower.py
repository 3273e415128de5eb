"""The frozen text tower: all-MiniLM-L6-v2, a BERT with mean pooling, in plain torch.

Source: Reimers and Gurevych 2019, arXiv:1908.10084; Wang et al. 2020, arXiv:2002.10957.
# N = texts, L = tokens, W = 384 width, H = 12 heads, K = W / H
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

WIDTH = 384
HEADS = 12
LAYERS = 6
MLP_WIDTH = 1536
VOCABULARY = 30522
MAX_TOKENS = 64
"""Captions and queries are short; longer ones are truncated."""
EPSILON = 1e-12
MASKED = -1e4
"""Added to the scores of padding; finite, so that bfloat16 and float16 hold it."""


class Layer(nn.Module):
    """One transformer layer of BERT: norms after the residual sums."""

    def __init__(self) -> None:
        """Make the layer with random weights."""
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.attention_out = nn.Linear(WIDTH, WIDTH)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.mlp_in = nn.Linear(WIDTH, MLP_WIDTH)
        self.mlp_out = nn.Linear(MLP_WIDTH, WIDTH)
        self.mlp_norm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, x_NLW: Tensor, bias_N11L: Tensor) -> Tensor:
        """Return the (N, L, W) states after attention and MLP."""
        query, key, value = (
            layer(x_NLW).unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores_NHLL = query @ key.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + bias_N11L
        mixed_NLW = (scores_NHLL.softmax(-1) @ value).transpose(1, 2).flatten(2)
        x_NLW = self.attention_norm(x_NLW + self.attention_out(mixed_NLW))
        hidden = nn.functional.gelu(self.mlp_in(x_NLW))
        normed: Tensor = self.mlp_norm(x_NLW + self.mlp_out(hidden))
        return normed


class TextTower(nn.Module):
    """Token ids in, mean-pooled (N, W) sentence vectors out, not normalised."""

    def __init__(self) -> None:
        """Make the tower with random weights."""
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Parameter(torch.zeros(MAX_TOKENS, WIDTH))
        self.embedding_norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, input_ids_NL: Tensor, attention_mask_NL: Tensor) -> Tensor:
        """Return the mean of the last states over the tokens that the mask keeps."""
        mask_NL = attention_mask_NL.to(self.positions.dtype)
        length = input_ids_NL.shape[1]
        x_NLW = self.embedding_norm(self.words(input_ids_NL) + self.positions[:length])
        bias_N11L = (1.0 - mask_NL)[:, None, None, :] * MASKED
        for layer in self.layers:
            x_NLW = layer(x_NLW, bias_N11L)
        summed_NW = (x_NLW * mask_NL[:, :, None]).sum(1)
        pooled_NW: Tensor = summed_NW / mask_NL.sum(1, keepdim=True).clamp(min=1.0)
        return pooled_NW


_LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "mlp_in": "intermediate.dense",
    "mlp_out": "output.dense",
    "mlp_norm": "output.LayerNorm",
}


def load_text_tower(folder: Path) -> TextTower:
    """Load MiniLM's `model.safetensors`; the constant token-type row is added to the positions."""
    theirs = load_file(folder / "model.safetensors")
    ours = {
        "words.weight": theirs["embeddings.word_embeddings.weight"],
        "positions": theirs["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        + theirs["embeddings.token_type_embeddings.weight"][0],
        "embedding_norm.weight": theirs["embeddings.LayerNorm.weight"],
        "embedding_norm.bias": theirs["embeddings.LayerNorm.bias"],
    }
    for i in range(LAYERS):
        for name, their_name in _LAYER_NAMES.items():
            for part in ("weight", "bias"):
                ours[f"layers.{i}.{name}.{part}"] = theirs[f"encoder.layer.{i}.{their_name}.{part}"]
    tower = TextTower()
    tower.load_state_dict(ours)
    return tower.eval()


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load MiniLM's tokenizer: lower case, truncation to 64 tokens, padding to the longest."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


@torch.inference_mode()
def embed_texts(
    tower: TextTower, tokenizer: Tokenizer, texts: Sequence[str], *, batch_size: int = 256
) -> Tensor:
    """Return the normalised (N, W) sentence vectors of texts, computed in order of length."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out_NW = torch.empty(len(texts), WIDTH)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        encoded = tokenizer.encode_batch([texts[i] for i in rows])
        ids_NL = torch.tensor([one.ids for one in encoded])
        mask_NL = torch.tensor([one.attention_mask for one in encoded])
        out_NW[rows] = nn.functional.normalize(tower(ids_NL, mask_NL), dim=-1)
    return out_NW
