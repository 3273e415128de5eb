"""How good merged weights are: held-out retrieval with the rules of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from core.errors import ConfigError
from core.pairs.reading import read_pairs
from core.progress import ProgressFactory, silent
from training.data.config import DataConfig
from training.data.heldout import BestMetric, chosen_value, evaluate
from training.data.pair_dataset import HeldOutPairs, PairSource
from training.data.prompts import resolve_templates
from training.merging.methods import Score
from training.merging.sources import MergeModel
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers
from training.zero_shot import LabelTask, label_task

_MOST_MB = 32_000.0
"""Of decoded pictures, which stay in memory: 200,000 of 224 pixels."""


class MergeJudge:
    """Measures weights in one module that is used for all of them."""

    def __init__(
        self,
        model: MergeModel,
        *,
        val: Path,
        keep: Path | None,
        metric: BestMetric,
        templates: tuple[str, ...] = (),
        batch_size: int,
        device: torch.device,
        progress: ProgressFactory = silent,
    ) -> None:
        """Read the pairs and decode their pictures once.

        Raises:
            PairsError: pairs that cannot be read, or none that can be used.
            ConfigError: labels are to decide, and the pairs have fewer than two.
            TrainingError: the model breaks the contract of ``DualEncoder``.
        """
        self._metric, self._batch_size, self._device = metric, batch_size, device
        self._towers = TwoTowers(
            as_dual_encoder(model.module).to(device), model.model.spec.preprocessing
        )
        source = PairSource(
            preprocessing=model.model.spec.preprocessing,
            tokenize=model.model.tokenizer,
            config=DataConfig(templates=templates, cache_limit_mb=_MOST_MB),
            progress=progress,
        )
        self._val = _judged(val, source)
        self._keep = _judged(keep, source) if keep is not None else None
        self.skipped = {**self._val[0].skipped, **(self._keep[0].skipped if self._keep else {})}
        if metric == "zero_shot_accuracy" and self._val[1] is None:
            raise ConfigError(
                f"{val} has fewer than two labels, so zero_shot_accuracy cannot decide; give them "
                "a column 'label' or a folder per class, or use another metric"
            )

    def measure(self, weights: Mapping[str, Tensor]) -> Score:
        """Return what the weights reach."""
        self._towers.model.load_state_dict(dict(weights))
        metrics = self._evaluate(*self._val)
        kept = self._evaluate(*self._keep) if self._keep is not None else {}
        return Score(chosen_value(metrics, self._metric), metrics, kept)

    def _evaluate(self, heldout: HeldOutPairs, labels: LabelTask | None) -> dict[str, float]:
        return evaluate(
            self._towers,
            heldout,
            batch_size=self._batch_size,
            device=self._device,
            labels=labels,
        )


def _judged(path: Path, source: PairSource) -> tuple[HeldOutPairs, LabelTask | None]:
    """Return held-out pairs and, where they have labels, the task of telling these apart."""
    heldout = HeldOutPairs(read_pairs(path), source)
    templates = resolve_templates(source.config.templates)
    return heldout, label_task(heldout.labels, source.tokenize, templates)
