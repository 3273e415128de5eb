"""The learned temperature: where it starts, and where it may not go.

The parameter ``logit_scale`` holds the logarithm of the inverse temperature, in float32; the
sigmoid loss has a parameter ``logit_bias`` beside it.
"""

from __future__ import annotations

import logging
import math

import torch
from torch import Tensor, nn

from core.errors import TrainingError
from training.losses.config import LossConfig, LossKind
from training.towers.dual_encoder import DualEncoder

INITIAL_LOG_SCALE = math.log(1 / 0.07)
"""Start of the parameter for the softmax loss (Radford et al. 2021, section 2.5)."""
INITIAL_SIGMOID_LOG_SCALE = math.log(10)
"""Start of the parameter for the sigmoid loss (Zhai et al. 2023, arXiv:2303.15343, section 3.2)."""
MAX_LOG_SCALE = math.log(100)
"""Upper clamp for the softmax loss: logits are scaled by at most 100 (Radford et al. 2021)."""

logger = logging.getLogger(__name__)


def initialise_temperature(model: DualEncoder, config: LossConfig, *, pretrained: bool) -> None:
    """Give a model the temperature and the bias with which training starts; call it once built.

    A model from scratch gets the initial values of ``config``. A pretrained one keeps what it has
    learned, unless its weights do not come from sigmoid training and ``config`` asks for that loss:
    open_clip gives such a model a bias of exactly 0, and a temperature near CLIP's 100 without a
    bias would start with every negative of the batch taken for a positive. Then both start anew.
    For the sigmoid loss a model without a bias gets one; for the softmax loss a bias stays as it
    is, since it has no effect.

    Raises:
        TrainingError: ``logit_bias`` is there, but is no float32 parameter of zero axes.
    """
    bias = getattr(model, "logit_bias", None)
    if config.kind == "softmax":
        if not pretrained:
            _fill(model.logit_scale, _initial_log_scale(config))
        return
    if bias is None:
        bias = nn.Parameter(torch.zeros_like(model.logit_scale))
        model.logit_bias = bias
    if not isinstance(bias, nn.Parameter) or bias.ndim != 0 or bias.dtype != torch.float32:
        raise TrainingError(
            f"{type(model).__name__}.logit_bias must be a float32 nn.Parameter of zero axes"
        )
    if pretrained and bias.item() != 0:
        return
    _fill(model.logit_scale, _initial_log_scale(config))
    _fill(bias, config.initial_bias)
    logger.info(
        "temperature and bias start anew for the sigmoid loss",
        extra={"log_scale": model.logit_scale.item(), "bias": bias.item()},
    )


def clamp_temperature(logit_scale: Tensor, kind: LossKind) -> None:
    """Clamp the log temperature to [0, ln 100] in place for softmax; call it after the step.

    The sigmoid loss has no clamp: published SigLIP models have learned scales above 100.
    """
    if kind == "softmax":
        with torch.no_grad():
            logit_scale.clamp_(0.0, MAX_LOG_SCALE)


def is_at_clamp(logit_scale: Tensor, kind: LossKind) -> bool:
    """Return whether the log temperature stands at a limit of its clamp."""
    if kind == "sigmoid":
        return False
    return bool((logit_scale <= 0.0) | (logit_scale >= MAX_LOG_SCALE))


def _initial_log_scale(config: LossConfig) -> float:
    if config.initial_scale:
        return math.log(config.initial_scale)
    return INITIAL_LOG_SCALE if config.kind == "softmax" else INITIAL_SIGMOID_LOG_SCALE


def _fill(parameter: nn.Parameter, value: float) -> None:
    with torch.no_grad():
        parameter.fill_(value)
