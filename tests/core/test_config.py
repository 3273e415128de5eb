"""Rules of core.config."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from core.config import from_environment, from_mapping, read_toml, with_overrides
from core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Inner:
    """A nested table."""

    learning_rate: float = 0.1
    mode: Literal["fast", "exact"] = "exact"


@dataclass(frozen=True, slots=True)
class Outer:
    """A config with one required setting."""

    name: str
    steps: int = 10
    quiet: bool = False
    folder: Path | None = None
    hosts: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)


def test_values_fill_the_dataclass() -> None:
    """Tables become nested dataclasses, whole numbers fit float settings."""
    values = {"name": "a", "folder": "x/y", "inner": {"learning_rate": 1}}

    config = from_mapping(Outer, values, where="test")

    assert config == Outer(name="a", folder=Path("x/y"), inner=Inner(learning_rate=1.0))
    assert isinstance(config.inner.learning_rate, float)


def test_an_unknown_key_names_the_nearest() -> None:
    """A typing error is told, not ignored."""
    with pytest.raises(ConfigError, match="unknown setting 'step'; did you mean 'steps'"):
        from_mapping(Outer, {"name": "a", "step": 3}, where="test")


def test_a_missing_required_key_is_named() -> None:
    """A setting without default must be given."""
    with pytest.raises(ConfigError, match="'name' is required"):
        from_mapping(Outer, {}, where="test")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("steps", "many", "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", 1.5, "a whole number"),
        ("quiet", "perhaps", "true or false"),
        ("name", 3, "text"),
        ("hosts", 3, "a list"),
        ("inner", {"mode": "slow"}, "one of fast, exact"),
    ],
)
def test_a_wrong_type_names_the_expected_one(key: str, value: object, expected: str) -> None:
    """The message says which setting, which value and what was expected."""
    with pytest.raises(ConfigError, match=expected):
        from_mapping(Outer, {"name": "a", key: value}, where="test")


def test_overrides_parse_text() -> None:
    """Dotted keys reach nested settings; text becomes the type of the setting."""
    config = with_overrides(
        Outer(name="a"),
        {"inner.learning_rate": "1e-3", "quiet": "true", "hosts": "a, b", "folder": ""},
        where="--set",
    )

    assert config == Outer(name="a", quiet=True, hosts=("a", "b"), inner=Inner(learning_rate=0.001))


def test_an_unknown_override_is_refused() -> None:
    """The nearest name is offered at every depth."""
    with pytest.raises(ConfigError, match="did you mean 'learning_rate'"):
        with_overrides(Outer(name="a"), {"inner.learning_rat": "1"}, where="--set")


def test_the_environment_is_read_by_prefix() -> None:
    """Variables of others are left alone, ours must be known."""
    environment = {"HOME": "/root", "APP_STEPS": "5"}

    assert from_environment(Outer, environment, prefix="APP_") == {"steps": "5"}
    with pytest.raises(ConfigError, match="APP_STEP; did you mean 'APP_STEPS'"):
        from_environment(Outer, {"APP_STEP": "5"}, prefix="APP_")


def test_toml_errors_name_the_file(tmp_path: Path) -> None:
    """A missing and a malformed file are ConfigErrors."""
    path = tmp_path / "recipe.toml"
    with pytest.raises(ConfigError, match="does not exist"):
        read_toml(path)
    path.write_text("a = = 1")
    with pytest.raises(ConfigError, match=r"recipe\.toml is not valid TOML"):
        read_toml(path)
