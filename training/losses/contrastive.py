"""The contrastive loss of a batch: the door of this room.

# B = pairs of this rank, N = pairs of all ranks, D = embedding dim, T = embedding dim of a teacher,
# G = kinds of identity (image, caption)
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from core.errors import ConfigError
from training.data.batches import TeacherEmbeddings
from training.losses.config import LossConfig
from training.losses.positives import Positives
from training.losses.sigmoid import SigmoidObjective
from training.losses.softmax import SoftmaxObjective
from training.losses.targets import PositiveTargets, Targets, TeacherTargets, UniformTargets
from training.losses.tiled import Objective, tiled_loss
from training.losses.tiles import Logits
from training.world import World

MATRIX_AXES = 2


class ContrastiveLoss:
    """Images against texts of a batch, over all ranks, as the section ``[loss]`` says."""

    def __init__(self, config: LossConfig, world: World) -> None:
        """Keep the settings and the processes that share a batch."""
        self._config, self._world = config, world

    def __call__(
        self,
        image_BD: Tensor,
        text_BD: Tensor,
        logit_scale: Tensor,
        *,
        logit_bias: Tensor | None = None,
        groups_BG: Tensor | None = None,
        teacher: TeacherEmbeddings | None = None,
    ) -> Tensor:
        """Return this rank's share of the loss in nats, a float32 scalar.

        Shares and their gradients, summed over ranks, are those of one process with the whole
        batch; every rank has the same number of pairs. It is computed in float32 whatever autocast
        says (in float64 for float64 embeddings), in memory for ``tile_rows`` rows of the logits.

        Args:
            image_BD: raw embeddings, normalised here; row i is the pair of row i of ``text_BD``.
            text_BD: raw embeddings.
            logit_scale: inverse temperature, a scalar, already exponentiated.
            logit_bias: scalar that the sigmoid loss needs; the softmax loss does not depend on it
                and gives it no gradient.
            groups_BG: int64 identities of each pair; with ``positives = "shared"`` pairs equal in
                any column belong together. ``None``: all pairs are distinct.
            teacher: embeddings of the same pairs, needed where ``distillation_weight`` is above 0.

        Raises:
            ValueError: shapes that do not fit together, or an argument is missing.
            ConfigError: ``loss.matryoshka_dims`` has a dimension that the embeddings do not have.
        """
        self._check(image_BD, text_BD, (logit_scale, logit_bias), groups_BG, teacher)
        # bfloat16 logits near 100 move in steps of 0.5, so autocast must not touch any of this.
        with torch.autocast(image_BD.device.type, enabled=False):
            dtype = torch.promote_types(image_BD.dtype, torch.float32)
            image_BD, text_ND = image_BD.to(dtype), self._world.gather_with_grad(text_BD.to(dtype))
            scale, bias = logit_scale.to(dtype), None
            if logit_bias is not None and self._config.kind == "sigmoid":
                bias = logit_bias.to(dtype)
            positives = self._positives(groups_BG, image_BD)
            targets = self._targets(positives, teacher, like=text_ND)
            losses = []
            for dim, weight in self._prefixes(image_BD.shape[1]):
                image_Bd, text_Nd = normalize(image_BD[:, :dim]), normalize(text_ND[:, :dim])
                logits = Logits(image_Bd, text_Nd, scale, bias, self._config.tile_rows)
                losses.append(weight * self._loss(logits, positives, targets))
            return torch.stack(losses).sum()

    def _loss(self, logits: Logits, positives: Positives, targets: list[Targets]) -> Tensor:
        """Return the share of one set of embeddings."""
        objectives: list[Objective] = []
        if self._config.kind == "sigmoid":
            objectives.append(SigmoidObjective(logits, positives))
        if targets:
            objectives.append(SoftmaxObjective(logits, targets, self._world))
        return torch.stack([tiled_loss(logits, objective) for objective in objectives]).sum()

    def _positives(self, groups_BG: Tensor | None, image_BD: Tensor) -> Positives:
        if groups_BG is None or self._config.positives == "own":
            return Positives.own(len(image_BD), self._world, device=image_BD.device)
        return Positives(groups_BG, self._world)

    def _targets(
        self, positives: Positives, teacher: TeacherEmbeddings | None, *, like: Tensor
    ) -> list[Targets]:
        """Return all targets of a softmax; with the sigmoid loss, only a teacher has one."""
        config, targets = self._config, list[Targets]()
        if config.kind == "softmax":
            counts_B = positives.counts(config.tile_rows).to(like.dtype)
            weight = 1 - config.label_smoothing
            targets.append(PositiveTargets(positives, counts_B, self._world, weight=weight))
        if config.label_smoothing:
            targets.append(UniformTargets(len(like), weight=config.label_smoothing))
        if config.distillation_weight and teacher is not None:
            logits = self._teacher_logits(teacher, like)
            weight = config.distillation_weight
            targets.append(TeacherTargets(logits, self._world, weight=weight))
        return targets

    def _teacher_logits(self, teacher: TeacherEmbeddings, like: Tensor) -> Logits:
        image_BT, text_BT = teacher.image_BT.to(like), teacher.text_BT.to(like)
        scale = like.new_tensor(self._config.distillation_scale or teacher.logit_scale)
        text_NT = self._world.gather(text_BT)
        return Logits(image_BT.detach(), text_NT, scale, None, self._config.tile_rows)

    def _prefixes(self, dim: int) -> list[tuple[int, float]]:
        """Return (dimensions, weight) of every set of embeddings; the weights sum to 1."""
        dims = self._config.matryoshka_dims
        if dims and dims[-1] >= dim:
            raise ConfigError(
                f"loss.matryoshka_dims holds {dims[-1]}, but the embeddings have {dim} dimensions, "
                "which are always used; name smaller ones"
            )
        weights = self._config.matryoshka_weights or (1.0,) * len(dims)
        total = sum(weights) + 1.0
        parts = zip((*dims, dim), (*weights, 1.0), strict=True)
        return [(part, weight / total) for part, weight in parts]

    def _check(
        self,
        image_BD: Tensor,
        text_BD: Tensor,
        scalars: tuple[Tensor, Tensor | None],
        groups_BG: Tensor | None,
        teacher: TeacherEmbeddings | None,
    ) -> None:
        shape = tuple(image_BD.shape)
        if image_BD.shape != text_BD.shape:
            raise ValueError(f"images {shape} and texts {tuple(text_BD.shape)} differ")
        if len(shape) != MATRIX_AXES or not len(image_BD):
            raise ValueError(f"embeddings have shape {shape}, expected (B, D) with B at least 1")
        for name, scalar in zip(("logit_scale", "logit_bias"), scalars, strict=True):
            if scalar is not None and scalar.ndim:
                raise ValueError(f"{name} has shape {tuple(scalar.shape)}, expected a scalar")
        if self._config.kind == "sigmoid" and scalars[1] is None:
            raise ValueError("the sigmoid loss needs logit_bias; initialise_temperature makes one")
        _check_groups(groups_BG, len(image_BD))
        if teacher is not None:
            _check_teacher(teacher, len(image_BD))
        elif self._config.distillation_weight:
            raise ValueError("loss.distillation_weight is above 0, but the batch has no teacher")


def _check_groups(groups_BG: Tensor | None, count: int) -> None:
    if groups_BG is None:
        return
    if groups_BG.ndim != MATRIX_AXES or len(groups_BG) != count or not groups_BG.shape[1]:
        raise ValueError(f"groups have shape {tuple(groups_BG.shape)}, expected ({count}, G)")
    if groups_BG.is_floating_point():
        raise ValueError(f"groups are {groups_BG.dtype}, expected int64")


def _check_teacher(teacher: TeacherEmbeddings, count: int) -> None:
    shapes = tuple(teacher.image_BT.shape), tuple(teacher.text_BT.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) != MATRIX_AXES or shapes[0][0] != count:
        raise ValueError(
            f"the teacher's images {shapes[0]} and texts {shapes[1]} are not both ({count}, T)"
        )
