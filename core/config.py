"""Frozen dataclasses filled from TOML, ``key=value`` overrides or an environment mapping.

Unknown keys are refused with the nearest known one, and a value of the wrong type is refused with
the type that was expected; nothing is ignored silently.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from core.errors import ConfigError

ConfigT = TypeVar("ConfigT")

_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file.

    Raises:
        ConfigError: the file is missing or is not valid TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def from_mapping(
    config_type: type[ConfigT], values: Mapping[str, object], *, where: str
) -> ConfigT:
    """Build a config dataclass; nested dataclasses take nested tables.

    ``where`` names the origin of the values in messages, for example the path of the file.

    Raises:
        ConfigError: an unknown key, a missing one, or a value of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(typing.cast("Any", config_type))}
    arguments = checked_values(config_type, values, where=where)
    missing = [name for name, field in fields.items() if _required(field) and name not in arguments]
    if missing:
        raise ConfigError(f"{where}: the setting {missing[0]!r} is required")
    return config_type(**arguments)


def checked_values(
    config_type: type[ConfigT], values: Mapping[str, object], *, where: str
) -> dict[str, Any]:
    """Return values in the types of the fields they are for.

    For one of several places of settings: rules about several fields wait for all of them.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type.
    """
    hints = typing.get_type_hints(config_type)
    names = [field.name for field in dataclasses.fields(typing.cast("Any", config_type))]
    for key in values:
        if key not in names:
            raise ConfigError(f"{where}: unknown setting {key!r}{_nearest(key, names)}")
    return {
        key: coerce(value, hints[key], where=f"{where}: {key}") for key, value in values.items()
    }


def with_overrides(config: ConfigT, overrides: Mapping[str, str], *, where: str) -> ConfigT:
    """Return ``config`` with dotted ``section.key`` overrides, the values given as text.

    Raises:
        ConfigError: an unknown key or a value that does not parse.
    """
    for dotted, text in overrides.items():
        config = _replace(config, dotted.split("."), text, where=f"{where}: {dotted}")
    return config


def from_environment(
    config_type: type[ConfigT], environment: Mapping[str, str], *, prefix: str
) -> dict[str, object]:
    """Return the settings of ``config_type`` that the environment names, as ``PREFIX_FIELD``.

    Raises:
        ConfigError: a variable with the prefix that is no setting.
    """
    names = {f"{prefix}{field.name.upper()}": field.name for field in _fields(config_type)}
    found: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith(prefix):
            continue
        if variable not in names:
            raise ConfigError(f"unknown environment variable {variable}{_nearest(variable, names)}")
        found[names[variable]] = text
    return found


def coerce(value: object, hint: Any, *, where: str) -> object:
    """Return ``value`` as the annotated type ``hint``, parsing text where it was given as text.

    Raises:
        ConfigError: the value does not fit.
    """
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(value, get_args(hint), where=where)
    if origin is typing.Literal:
        return _coerce_choice(value, get_args(hint), where=where)
    if origin is tuple:
        return _coerce_tuple(value, get_args(hint)[0], where=where)
    if origin is dict:
        return _coerce_table(value, get_args(hint)[1], where=where)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_mapping(typing.cast("type[Any]", hint), value, where=where)
    if hint is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return _parse(value, hint, where=where)
    raise ConfigError(f"{where} = {value!r}: expected {_type_name(hint)}")


def _coerce_union(value: object, choices: tuple[Any, ...], *, where: str) -> object:
    if value is None or (value == "" and type(None) in choices):
        return None
    hints = [choice for choice in choices if choice is not type(None)]
    return coerce(value, hints[0], where=where)


def _coerce_choice(value: object, choices: tuple[object, ...], *, where: str) -> object:
    if value in choices:
        return value
    listed = ", ".join(str(choice) for choice in choices)
    raise ConfigError(f"{where} = {value!r}: expected one of {listed}")


def _coerce_tuple(value: object, item_hint: Any, *, where: str) -> tuple[object, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where} = {value!r}: expected a list")
    return tuple(coerce(item, item_hint, where=where) for item in value)


def _coerce_table(value: object, item_hint: Any, *, where: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} = {value!r}: expected a table")
    if item_hint is object:
        return dict(value)
    return {
        str(key): coerce(item, item_hint, where=f"{where}.{key}") for key, item in value.items()
    }


def _parse(text: str, hint: Any, *, where: str) -> object:
    if hint is bool and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError as error:
            raise ConfigError(f"{where} = {text!r}: expected {_type_name(hint)}") from error
    raise ConfigError(f"{where} = {text!r}: expected {_type_name(hint)}")


def _replace(config: ConfigT, keys: list[str], text: str, *, where: str) -> ConfigT:
    hints = typing.get_type_hints(type(config))
    if keys[0] not in hints:
        raise ConfigError(f"{where}: unknown setting {keys[0]!r}{_nearest(keys[0], hints)}")
    value: object
    if len(keys) > 1:
        value = _replace(getattr(config, keys[0]), keys[1:], text, where=where)
    else:
        value = coerce(text, hints[keys[0]], where=where)
    return typing.cast(
        "ConfigT", dataclasses.replace(typing.cast("Any", config), **{keys[0]: value})
    )


def _fields(config_type: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(config_type)


def _required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.init and field.default is missing and field.default_factory is missing


def _nearest(key: str, known: Collection[str]) -> str:
    matches = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else f"; known are {', '.join(known)}"


def _type_name(hint: Any) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(
        hint, str(hint)
    )
