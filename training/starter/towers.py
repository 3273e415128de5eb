"""The starter model: two frozen towers, ConSE and a trained head, as one dual encoder.

Texts are embedded by the frozen text tower alone. Images are brought into its space in two ways
that are added: w ConSE + (1 - w) head. ConSE needs no training and knows the ImageNet classes; the
head is learned from pairs.

# N = items, S = image size, F = 1280 features, C = 1000 classes, W = 384 text width, L = tokens
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.starter.image_tower import ImageTower
from training.starter.text_tower import WIDTH, TextTower

NUM_FEATURES = 1280
CONSE_CLASSES = 20
CONSE_TEMPERATURE = 2.0
"""Chosen in docs/starter-model.md; the paper uses the top 10 at temperature 1."""
INITIAL_LOGIT_SCALE = math.log(20.0)


class ConSE(nn.Module):
    """Maps class logits to the text space: the mean of class texts, weighted by probability.

    Source: Norouzi et al. 2014, arXiv:1312.5650, section 3.
    """

    def __init__(self, class_texts_CW: Tensor) -> None:
        """Keep the sentence vectors of the class texts."""
        super().__init__()
        self.class_texts_CW: Tensor
        self.register_buffer("class_texts_CW", class_texts_CW)

    def forward(self, logits_NC: Tensor) -> Tensor:
        """Return the normalised (N, W) mixtures of the 20 likeliest classes."""
        scaled_NC = logits_NC / CONSE_TEMPERATURE
        weakest_N1 = scaled_NC.topk(CONSE_CLASSES, dim=1).values[:, -1:]
        kept_NC = torch.where(scaled_NC >= weakest_N1, scaled_NC, torch.full_like(scaled_NC, -1e4))
        return normalize(kept_NC.softmax(dim=1) @ self.class_texts_CW, dim=-1)


class Heads(nn.Module):
    """What is trained: an MLP on image features beside ConSE, and the temperature.

    A ``DualEncoder`` over cached tower outputs: features (N, F) and sentence vectors (N, W).
    """

    def __init__(self, *, conse: ConSE, classifier: nn.Linear, hidden: int, dropout: float) -> None:
        """Make the heads; the classifier stays as it is."""
        super().__init__()
        self.conse = conse
        self.classifier = classifier.requires_grad_(requires_grad=False)
        self.feature_mean: Tensor
        self.feature_std: Tensor
        self.register_buffer("feature_mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("feature_std", torch.ones(NUM_FEATURES))
        self.image_head = nn.Sequential(
            nn.Linear(NUM_FEATURES, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, WIDTH),
        )
        self.residual = nn.Parameter(torch.tensor(1.0))
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))

    def encode_image(self, features_NF: Tensor) -> Tensor:
        """Return the (N, W) head embeddings of pooled features."""
        return self.combine(features_NF, self.conse(self.classifier(features_NF)))

    def combine(self, features_NF: Tensor, conse_NW: Tensor) -> Tensor:
        """Return MLP + a ConSE, where a is learned."""
        standard_NF = (features_NF - self.feature_mean) / self.feature_std
        combined: Tensor = self.image_head(standard_NF) + self.residual * conse_NW
        return combined

    def encode_text(self, sentences_NW: Tensor) -> Tensor:
        """Return the sentence vectors (N, W) as they are: the text space is the given one."""
        return sentences_NW


class StarterImage(nn.Module):
    """uint8 pixels to embeddings; what is exported as `image.onnx`."""

    def __init__(self, tower: ImageTower, heads: Heads, *, conse_weight: float) -> None:
        """Join tower and heads; ``conse_weight`` is w."""
        super().__init__()
        self.tower, self.heads, self.conse_weight = tower, heads, conse_weight

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the (N, W) unit embeddings of pixels (N, S, S, 3)."""
        features_NF, logits_NC = self.tower(pixels)
        return self.embed(features_NF, logits_NC)

    def embed(self, features_NF: Tensor, logits_NC: Tensor) -> Tensor:
        """Return the (N, W) unit embeddings of the tower's outputs."""
        conse_NW = self.heads.conse(logits_NC)
        head_NW = self.heads.combine(features_NF, conse_NW)
        return mixed(conse_NW, head_NW, self.conse_weight)


class StarterText(nn.Module):
    """Token ids to embeddings; what is exported as `text.onnx`."""

    def __init__(self, tower: TextTower) -> None:
        """Take the frozen tower."""
        super().__init__()
        self.tower = tower

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the (N, W) unit embeddings of token ids (N, L)."""
        return normalize(self.tower(input_ids, attention_mask), dim=-1)


def mixed(conse_NW: Tensor, head_NW: Tensor, weight: float) -> Tensor:
    """Return the direction of w ConSE + (1 - w) head, of the two normalised parts."""
    sum_NW = weight * normalize(conse_NW, dim=-1) + (1.0 - weight) * normalize(head_NW, dim=-1)
    return normalize(sum_NW, dim=-1)
