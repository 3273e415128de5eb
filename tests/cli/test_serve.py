"""``sightline serve``: options, what it prints, and how it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent


def sightline(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=clean_environment(**environment),
    )


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment of the tests without settings of their own."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("SIGHTLINE_")}
    return {**kept, "SIGHTLINE_COMPILE_CACHE": "off", **more}


@pytest.mark.slow
def test_help_shows_examples() -> None:
    """The help text is enough to start."""
    done = sightline("serve", "--help")

    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert "--read-only" in done.stdout


@pytest.mark.slow
def test_the_settings_are_printed_as_toml(tmp_path: Path) -> None:
    """Options win over variables, variables over the file; stdout is TOML and nothing else."""
    file = tmp_path / "s.toml"
    file.write_text('host = "file"\nport = 1\nmax_k = 5\n', encoding="utf-8")

    done = sightline(
        "serve", "--config", file, "--port", "3", "--print-config", SIGHTLINE_HOST="env"
    )

    assert done.returncode == 0, done.stderr
    printed = tomllib.loads(done.stdout)
    assert (printed["host"], printed["port"], printed["max_k"]) == ("env", 3, 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "70000"], "port = 70000"),
        (["--config", "missing.toml"], "missing.toml does not exist"),
        (["--host", "no.such.host.invalid", "--port", "0"], "no address of this machine"),
    ],
)
def test_a_wrong_setting_is_a_usage_error(words: list[str], said: str) -> None:
    """One line on stderr, exit code 2, nothing on stdout."""
    done = sightline("serve", *words, SIGHTLINE_ALLOW_OPEN="true")

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_a_taken_port_fails_with_its_remedy(tmp_path: Path) -> None:
    """Exit code 1 and the option that helps, before the model is loaded."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = sightline(
            "serve", "--gallery", tmp_path / "g", "--port", str(other.getsockname()[1])
        )

    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.slow
def test_an_unknown_model_fails_with_its_name(tmp_path: Path) -> None:
    """A folder that is no model is named; no gallery is left behind."""
    done = sightline("serve", "--gallery", tmp_path / "g", "--model", tmp_path, "--port", "0")

    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert not (tmp_path / "g").exists()


@pytest.mark.slow
def test_the_starter_model_is_served_and_drained(tmp_path: Path) -> None:
    """The real model on a free port: the address on stderr, an answer, a clean end by SIGTERM."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli.main",
            "serve",
            "--gallery",
            str(tmp_path / "g"),
            "--port",
            "0",
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(SIGHTLINE_ACCESS_LOG="false"),
    ) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if line.startswith("Serving on "))
            address = line.split()[2]
            answer = httpx.get(f"{address}/v1/search?q=a+red+car", trust_env=False, timeout=60)
            process.send_signal(signal.SIGTERM)
            code = process.wait(120)
        finally:
            process.kill()

    assert answer.status_code == 200
    assert answer.json()["hits"] == []
    assert code == 0
