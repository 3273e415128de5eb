"""From the sources of a run to its data: read, split, decode or embed, mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.artifacts import sha256_bytes
from core.errors import ConfigError, EncoderError
from core.pairs.pair import PairList
from core.pairs.reading import read_pairs
from core.progress import ProgressFactory
from encoders.open_clip_tokenizer import export_tokenizer
from training.config import TrainConfig
from training.data.feature_cache import FeatureCache
from training.data.feature_pairs import EmbeddedPairs, PairTable
from training.data.heldout import HeldOut
from training.data.mixture import Mixture
from training.data.pair_dataset import HeldOutPairs, PairDataset, PairSource
from training.data.prompts import resolve_templates
from training.data.split import split_pairs
from training.data.teacher import open_teacher
from training.data.token_cache import TokenCache
from training.features import LockedTowers, computed_sides
from training.run_values import RunData
from training.towers.open_clip_model import BuiltModel
from training.zero_shot import LabelTask, label_task


@dataclass(frozen=True, slots=True)
class OpenedData:
    """The data of a run, ready for the trainer, and what is to be said of it."""

    data: RunData
    """What the trainer takes."""
    tables: Sequence[PairTable]
    """The training pairs of each source."""
    heldout: HeldOutPairs | None
    """The held-out pairs before anything of them was embedded."""

    @property
    def num_distinct_captions(self) -> int:
        """Return how many different captions there are; of several sources, in the richest."""
        return max(table.num_distinct_captions for table in self.tables)

    @property
    def skipped(self) -> dict[str, str]:
        """Return ids of pairs that could not be used, with the reason; it grows during a run."""
        found: dict[str, str] = {}
        for table in self.tables:
            found |= table.skipped
        return found | (self.heldout.skipped if self.heldout is not None else {})


@dataclass(frozen=True, slots=True)
class DataOpener:
    """Opens the sources of one run."""

    built: BuiltModel
    """The model that the data is prepared for."""
    config: TrainConfig
    """The resolved recipe."""
    caches: Path
    """Folder in which pictures, embeddings and tokens are kept for later runs."""
    device: torch.device
    """Where locked towers compute their embeddings."""
    progress: ProgressFactory
    """Shows decoding and embedding."""

    def open(self, sources: Sequence[Path], heldout: Path | None) -> OpenedData:
        """Read the training pairs and the held-out ones, which may be a part of the former.

        Raises:
            PairsError: a source cannot be read, or holds nothing that can be used.
            ConfigError: settings that do not fit the data or the towers.
        """
        trains = [self._read(source) for source in sources]
        judged = self._read(heldout) if heldout is not None else None
        if judged is None and self.config.data.heldout_fraction:
            parts, judged = split_pairs(*trains, fraction=self.config.data.heldout_fraction)
            trains = list(parts)
        source = self._source()
        tables = [self._table(pairs, source) for pairs in trains]
        held = HeldOutPairs(judged, source) if judged is not None else None
        mixed = len(tables) > 1 or bool(self.config.data.weights)
        data = RunData(
            train=Mixture(tables) if mixed else tables[0],
            heldout=self._embedded(held) if held is not None else None,
            labels=self._labels(held) if held is not None else None,
            preprocessing=self.built.preprocessing,
            computed=computed_sides(self.config),
        )
        return OpenedData(data, tables, held)

    def _read(self, source: Path) -> PairList:
        config = self.config.data
        return read_pairs(
            source,
            image_column=config.image_column or None,
            caption_column=config.caption_column or None,
            image_root=Path(config.image_root).expanduser() if config.image_root else None,
        )

    def _source(self) -> PairSource:
        return PairSource(
            preprocessing=self.built.preprocessing,
            tokenize=self.built.tokenizer,
            config=self.config.data,
            seed=self.config.run.seed,
            cache_folder=self.caches / "picture-cache",
            token_cache=self._token_cache(),
            progress=self.progress,
        )

    def _token_cache(self) -> TokenCache | None:
        try:
            exported = export_tokenizer(self.built.tokenizer)
        except EncoderError:
            # A tokenizer without a digest is run each time.
            return None
        named = exported.definition + f"{exported.context_length} {exported.cleaning}".encode()
        return TokenCache(self.caches / "token-cache", sha256_bytes(named), progress=self.progress)

    def _table(self, pairs: PairList, source: PairSource) -> PairTable:
        locked = self._locked()
        table: PairTable = (
            PairDataset(pairs, source) if locked is None else locked.open_pairs(pairs, source)
        )
        if not self.config.loss.distillation_weight:
            return table
        teacher = open_teacher(
            self.config.data.teacher, table.pairs, table.captions.texts, cache=self._features()
        )
        return EmbeddedPairs(table, teacher=teacher)

    def _embedded(self, heldout: HeldOutPairs) -> HeldOut:
        locked, size = self._locked(), self.config.run.evaluate_batch
        return heldout if locked is None else locked.heldout(heldout, batch_size=size)

    def _labels(self, heldout: HeldOutPairs) -> LabelTask | None:
        templates = resolve_templates(self.config.run.zero_shot_templates)
        task = label_task(heldout.labels, self.built.tokenizer, templates)
        locked, size = self._locked(), self.config.run.evaluate_batch
        if task is None or locked is None:
            return task
        return locked.labels(task, batch_size=size)

    def _locked(self) -> LockedTowers | None:
        sides = computed_sides(self.config)
        if not sides:
            return None
        return LockedTowers(self.built, self.device, self._features(), sides)

    def _features(self) -> FeatureCache:
        return FeatureCache(
            self.caches / "feature-cache",
            dtype=self.config.data.features.dtype,
            workers=self.config.data.workers,
            progress=self.progress,
        )


def check_teacher(config: TrainConfig) -> None:
    """Refuse a distillation without a teacher, and a teacher of whom nothing is learned.

    Raises:
        ConfigError: one of the two settings stands alone.
    """
    if config.loss.distillation_weight and not config.data.teacher:
        raise ConfigError(
            f"loss.distillation_weight = {config.loss.distillation_weight:g} needs data.teacher: "
            "a model folder, an open_clip source or an .npz file"
        )
    if config.data.teacher and not config.loss.distillation_weight:
        raise ConfigError(
            f"data.teacher = {config.data.teacher!r} has no effect while loss.distillation_weight "
            "is 0; set it, or leave the teacher out"
        )
