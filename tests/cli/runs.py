"""What a command line that was run gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Run: TypeAlias = Callable[..., tuple[int, str, str]]
"""Runs a command line; returns exit code, stdout and stderr."""
