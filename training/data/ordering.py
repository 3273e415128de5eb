"""In which order an epoch shows its pairs: shuffled, drawn by weight, equal captions spread.

# N = pairs of an epoch
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError
from core.types import IdArray
from training.data.batches import TrainingData
from training.data.config import DataConfig
from training.data.mixture import CaptionedData, Mixture, weighted_order
from training.data.spreading import spread_duplicates
from training.randomness import stream


@dataclass(frozen=True, slots=True)
class Ordering:
    """The order of every epoch, a pure function of (seed, epoch)."""

    data: TrainingData
    """What is ordered."""
    config: DataConfig
    """Weights, batch size, and whether equal captions are spread."""
    seed: int
    """Of the order."""

    def __post_init__(self) -> None:
        """Refuse what the data cannot do.

        Raises:
            ConfigError: weights that do not fit the data sets, or captions that are not known.
        """
        weights, sizes = self.config.weights, self._sizes()
        if weights and len(weights) != len(sizes):
            raise ConfigError(
                f"data.weights has {len(weights)} numbers for {len(sizes)} data sets; "
                "give one for each, or none"
            )
        if self.config.distinct_captions_in_batch and not isinstance(self.data, CaptionedData):
            raise ConfigError(
                f"data.distinct_captions_in_batch needs captions, {type(self.data).__name__} "
                "has none; switch it off"
            )

    def __call__(self, epoch: int) -> IdArray:
        """Return the indices (N,) of an epoch."""
        order_N = self._shuffled(epoch)
        if self.config.distinct_captions_in_batch and isinstance(self.data, CaptionedData):
            groups_N = self.data.caption_groups(order_N, epoch=epoch)
            return spread_duplicates(order_N, groups_N, batch_size=self.config.batch_size)
        return order_N

    def _shuffled(self, epoch: int) -> IdArray:
        if self.config.weights:
            return weighted_order(
                self._sizes(),
                self.config.weights,
                seed=self.seed,
                epoch=epoch,
                length=len(self.data),
            )
        return stream("order", self.seed, epoch).permutation(len(self.data))

    def _sizes(self) -> tuple[int, ...]:
        return self.data.sizes if isinstance(self.data, Mixture) else (len(self.data),)
