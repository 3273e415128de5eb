"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
import tomllib
from pathlib import Path

import pytest

from core.config import from_mapping
from core.errors import ConfigError
from service.settings import Settings, as_toml, compiled_folder, load_settings

ROOT = Path(__file__).parent.parent.parent


def write(path: Path, text: str) -> Path:
    """Write a settings file."""
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    """Three places name the port; each layer also sets one of its own."""
    file = write(tmp_path / "a.toml", 'port = 1\nhost = "file"\nread_only = true\nmax_k = 7\n')

    settings = load_settings(
        config=file,
        environment={"SIGHTLINE_PORT": "2", "SIGHTLINE_HOST": "env", "HOME": "/"},
        options={"port": 3, "gallery": None},
    )

    assert (settings.port, settings.host, settings.read_only, settings.max_k) == (
        3,
        "env",
        True,
        7,
    )
    assert settings.gallery == Path("gallery")


def test_text_of_the_environment_becomes_the_type_of_the_field() -> None:
    """Numbers, switches, paths and comma lists are written as text."""
    settings = load_settings(
        environment={
            "SIGHTLINE_GALLERY": "/data/g",
            "SIGHTLINE_READ_ONLY": "yes",
            "SIGHTLINE_REQUEST_TIMEOUT_S": "2.5",
            "SIGHTLINE_IMAGE_FORMATS": "JPEG, AVIF",
            "SIGHTLINE_CORS_ORIGINS": "https://a.example,https://b.example",
            "SIGHTLINE_MODEL": "",
        }
    )

    assert settings.gallery == Path("/data/g")
    assert settings.read_only is True
    assert settings.request_timeout_s == 2.5
    assert settings.image_formats == ("JPEG", "AVIF")
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.model is None


def test_a_variable_of_the_command_line_is_no_setting() -> None:
    """SIGHTLINE_DEBUG is read by the command line and does not disturb the service."""
    assert load_settings(environment={"SIGHTLINE_DEBUG": "1"}) == Settings()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SIGHTLINE_PROT": "1"}, "did you mean 'SIGHTLINE_PORT'"),
        ({"SIGHTLINE_PORT": "eighty"}, "environment: port = 'eighty': expected a whole number"),
        ({"SIGHTLINE_PORT": "70000"}, "port = 70000: expected at most 65535"),
        ({"SIGHTLINE_MAX_K": "0"}, "max_k = 0: expected at least 1"),
        ({"SIGHTLINE_REQUEST_TIMEOUT_S": "-1"}, "request_timeout_s = -1.0"),
        ({"SIGHTLINE_REQUEST_TIMEOUT_S": "inf"}, "request_timeout_s = inf"),
        ({"SIGHTLINE_IMAGE_FORMATS": "SVG"}, "expected one of JPEG, PNG"),
        ({"SIGHTLINE_IMAGE_FORMATS": ","}, "image_formats is empty"),
        ({"SIGHTLINE_RUNTIME": "tensorflow"}, "expected one of auto"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(environment: dict[str, str], said: str) -> None:
    """The message names the variable, the value and what would fit."""
    with pytest.raises(ConfigError) as caught:
        load_settings(environment=environment)

    assert said in str(caught.value)


def test_an_unknown_key_of_a_file_is_refused_with_the_file(tmp_path: Path) -> None:
    """A typing error in a file names the file and the nearest setting."""
    file = write(tmp_path / "b.toml", "max_txts = 3\n")

    with pytest.raises(ConfigError, match=r"b\.toml: unknown setting 'max_txts'.*max_texts"):
        load_settings(config=file, environment={})


def test_the_printed_settings_are_a_settings_file(tmp_path: Path) -> None:
    """What --print-config prints reads back as the same settings, quotes and all."""
    settings = Settings(gallery=Path('/a "b"\\c'), port=0, cors_origins=("https://a.example",))
    file = write(tmp_path / "c.toml", as_toml(settings))

    assert load_settings(config=file, environment={}) == settings
    assert tomllib.loads(as_toml(settings))["port"] == 0


@pytest.mark.parametrize(
    ("choice", "variables", "expected"),
    [
        ("off", {"XDG_CACHE_HOME": "/c"}, None),
        ("", {"XDG_CACHE_HOME": "/c"}, None),
        ("auto", {"XDG_CACHE_HOME": "/c"}, Path("/c/sightline/compiled")),
        ("auto", {}, Path("~/.cache/sightline/compiled").expanduser()),
        ("auto", {"XDG_CACHE_HOME": "c"}, Path("~/.cache/sightline/compiled").expanduser()),
        ("/own", {"XDG_CACHE_HOME": "/c"}, Path("/own")),
    ],
)
def test_where_compiled_models_are_kept(
    choice: str, variables: dict[str, str], expected: Path | None
) -> None:
    """In the user's cache, in a folder of the operator's choice, or nowhere."""
    assert compiled_folder(choice, environment=variables) == expected


def test_every_setting_is_documented_as_the_code_says() -> None:
    """docs/configuration.md has one row a setting: variable, default, and the field's docstring."""
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `SIGHTLINE_")]
    texts = field_docstrings()
    expected = [
        f"| `SIGHTLINE_{field.name.upper()}` | {shown(getattr(Settings(), field.name))} "
        f"| {texts[field.name]} |"
        for field in dataclasses.fields(Settings)
    ]

    assert rows == expected


def field_docstrings() -> dict[str, str]:
    """Return the text under each field of Settings."""
    tree = ast.parse((ROOT / "service" / "settings.py").read_text(encoding="utf-8"))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    texts = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            texts[field.target.id] = " ".join(str(text.value.value).replace("``", "`").split())
    return texts


def shown(value: object) -> str:
    """Return a default as the page shows it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`" if value else "none"
    return f"`{value}`"


def test_settings_that_need_each_other_may_stand_in_different_places(tmp_path: Path) -> None:
    """What no place allows alone is fine together."""
    path = tmp_path / "settings.toml"
    path.write_text("fetch_urls = true\n", encoding="utf-8")
    settings = load_settings(
        config=path,
        environment={"SIGHTLINE_READ_ONLY": "true", "SIGHTLINE_FETCH_HOSTS": "cdn.example"},
        options={"processes": 2},
    )

    assert (settings.processes, settings.fetch_hosts) == (2, ("cdn.example",))


def test_no_setting_holds_a_secret() -> None:
    """What --print-config prints may be shown: there is no place for a password or a key."""
    names = [field.name for field in dataclasses.fields(Settings)]

    assert [name for name in names if re.search("secret|password|token|(^|_)key", name)] == []
    with pytest.raises(ConfigError, match="user name"):
        from_mapping(Settings, {"otlp_endpoint": "https://me:pass@collector"}, where="test")
