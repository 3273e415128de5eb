"""Checks of numeric settings, with one wording for every message."""

from __future__ import annotations

import math

from core.errors import ConfigError


def check_range(name: str, value: float, *, low: float, high: float = math.inf) -> None:
    """Accept ``value`` where low <= value <= high.

    Raises:
        ConfigError: the value is outside, or NaN.
    """
    if not low <= value <= high:
        limit = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise ConfigError(f"{name} = {value:g}: expected {limit}")


def check_positive(name: str, value: float) -> None:
    """Accept a finite ``value`` above zero.

    Raises:
        ConfigError: the value is zero, negative, infinite or NaN.
    """
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} = {value:g}: expected a number above 0")
