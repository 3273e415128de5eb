"""What an evaluation of retrieval is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import UsageError
from core.types import JSONObject
from evaluation.estimates import Statistics
from evaluation.retrieval_task import DIRECTIONS, Direction, Judgements, Relevance

DEFAULT_KS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class RetrievalOptions:
    """What to measure."""

    direction: Direction = "text_to_image"
    ks: tuple[int, ...] = DEFAULT_KS
    """Cut-offs; capped at the size of the gallery."""
    relevance: Relevance | Judgements = "pair"
    exclude_self: bool | None = None
    """Drop the query itself from its gallery; ``None``: within one modality."""
    group_by: str | None = None
    """Metadata field, or ``label``: metrics for each of its values too."""
    depth: int | None = None
    """Places of each list in ``run.trec``; ``None``: the largest cut-off."""
    statistics: Statistics = field(default_factory=Statistics)

    def __post_init__(self) -> None:
        """Check what does not depend on the data.

        Raises:
            UsageError: an unknown direction, or a cut-off below 1.
        """
        if self.direction not in DIRECTIONS:
            raise UsageError(
                f"direction = {self.direction!r}: expected {', '.join(DIRECTIONS)}",
                param="direction",
            )
        if not self.ks or min(self.ks) < 1:
            raise UsageError(
                f"k = {list(self.ks)}: expected one or more cut-offs, each 1 or more", param="k"
            )

    def as_json(self) -> JSONObject:
        """Return the settings as a report shows them."""
        judged = not isinstance(self.relevance, str)
        return {
            "direction": self.direction,
            "k": list(self.ks),
            "relevance": "judgements" if judged else str(self.relevance),
            "exclude_self": self.exclude_self,
            "group_by": self.group_by,
            "depth": self.depth,
        }
