"""Rules of the settings of data."""

from __future__ import annotations

import pytest

from core.errors import ConfigError
from training.data.config import DataConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 1}, r"data\.batch_size = 1: expected at least 2"),
        ({"workers": -1}, r"data\.workers = -1"),
        ({"heldout_fraction": 0.6}, r"data\.heldout_fraction = 0\.6: expected between 0 and 0\.5"),
        ({"weights": (1.0, 0.0)}, r"data\.weights = 0: expected a number above 0"),
        ({"decode_margin": 0.9}, r"data\.decode_margin = 0\.9"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    """The key, the value and the limit are named."""
    with pytest.raises(ConfigError, match=message):
        DataConfig(**settings)  # type: ignore[arg-type]  # cases of several types
