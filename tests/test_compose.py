"""The container files: parsed and compared with the code, because no engine runs in the tests."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import COMMANDS
from core.config import from_mapping
from service.settings import Settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
ALL_SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVICES = {name: service for name, service in ALL_SERVICES.items() if "build" in service}
"""Ours; tests/test_monitoring.py looks at the others."""
VARIABLES = {f"SIGHTLINE_{field.name.upper()}" for field in dataclasses.fields(Settings)}
SUBSTITUTION = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a service with their defaults filled in."""
    return {key: SUBSTITUTION.sub(r"\1", str(text)) for key, text in service["environment"].items()}


def stages() -> dict[str, str]:
    """Return the text of each stage of the Dockerfile by its name."""
    parts = re.split(r"^FROM \S+ AS (\w+)$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_a_setting_with_a_valid_value(name: str) -> None:
    """The environment of a service makes settings; none is misspelt, none is out of range."""
    environment = environment_of(SERVICES[name])
    values = {key.removeprefix("SIGHTLINE_").lower(): text for key, text in environment.items()}

    assert set(environment) <= VARIABLES
    assert from_mapping(Settings, values, where=name).host == "0.0.0.0"


def test_every_variable_named_anywhere_is_a_setting() -> None:
    """Also those in the Dockerfile, in substitutions and in comments."""
    text = DOCKERFILE + (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    assert set(re.findall(r"SIGHTLINE_[A-Z_]+", text)) <= VARIABLES


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_open_only_where_its_port_is_this_machine_s(name: str) -> None:
    """In a container it listens for all; what is published, and to whom, decides."""
    service = SERVICES[name]
    if environment_of(service)["SIGHTLINE_ALLOW_OPEN"] == "true":
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_image_alone_asks_for_keys() -> None:
    """Who runs it without compose publishes it himself: the image does not allow that open."""
    assert "SIGHTLINE_HOST=0.0.0.0" in DOCKERFILE
    assert "ALLOW_OPEN" not in DOCKERFILE


@pytest.mark.parametrize("name", SERVICES)
def test_the_health_check_needs_no_key(name: str) -> None:
    """The route that it asks is open also when the gallery has keys."""
    from service.scopes import SCOPES

    asked = re.findall(r"8000(/\w+)'", SERVICES[name]["healthcheck"]["test"][-1])

    assert [SCOPES[f"GET {path}"] for path in asked] == [None]


def test_the_default_service_is_the_demo_without_torch() -> None:
    """``docker compose up`` builds the cpu stage and starts one service, the demo."""
    default = [name for name, service in ALL_SERVICES.items() if "profiles" not in service]

    assert default == ["sightline"]
    assert SERVICES["sightline"]["build"]["target"] == "cpu"
    assert SERVICES["sightline"]["command"] == ["demo"]


def test_the_gpu_service_waits_for_its_profile() -> None:
    """The torch image is built and started on request, and asks for a GPU."""
    gpu = SERVICES["sightline-gpu"]
    devices = gpu["deploy"]["resources"]["reservations"]["devices"]

    assert gpu["profiles"] == ["gpu"]
    assert gpu["build"]["target"] == "gpu"
    assert environment_of(gpu)["SIGHTLINE_RUNTIME"] == "torch"
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_keeps_its_gallery_and_is_watched(name: str) -> None:
    """Named volume, health check on readiness, commands that exist, only local ports."""
    service = SERVICES[name]
    volume, target = service["volumes"][0].split(":")

    assert volume in COMPOSE["volumes"]
    assert environment_of(service)["SIGHTLINE_GALLERY"].startswith(f"{target}/")
    assert "/readyz" in service["healthcheck"]["test"][-1]
    assert service["command"][0] in COMMANDS
    assert service["build"]["target"] in stages()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_containers_get_the_time_that_a_drain_may_take() -> None:
    """The engine kills a container only after the service's own drain is over."""
    for service in SERVICES.values():
        assert int(service["stop_grace_period"].removesuffix("s")) > Settings().drain_timeout_s


@pytest.mark.parametrize(("stage", "lock"), [("cpu", "serve.txt"), ("gpu", "train.txt")])
def test_images_install_by_the_commands_of_the_makefile(stage: str, lock: str) -> None:
    """The same locks, the same options: what the tests see is what the image holds."""
    pip = re.search(r"^PIP := -m (.*)$", MAKEFILE, re.MULTILINE)
    assert pip is not None
    found = [
        line.removeprefix("RUN python -m ")
        for line in stages()[stage].splitlines()
        if line.startswith("RUN")
    ]

    assert found == [
        f"{pip.group(1)} --require-hashes -r requirements/{lock}",
        f"{pip.group(1)} --no-deps -e .",
    ]
    for command in found:
        options = command.removeprefix(f"{pip.group(1)} ").replace(lock, "serve.txt")
        assert options in MAKEFILE


@pytest.mark.parametrize("stage", ["cpu", "gpu"])
def test_images_do_not_run_as_root(stage: str) -> None:
    """The last user of each image is the service's own, and its data folder is a volume."""
    lines = stages()[stage].splitlines()

    assert [line for line in lines if line.startswith("USER")] == ["USER sightline"]
    assert "VOLUME /data" in lines


def test_the_cpu_image_is_the_default() -> None:
    """A build without a target takes the last stage."""
    assert list(stages())[-1] == "cpu"


def test_the_image_asks_readiness_and_stops_by_sigterm() -> None:
    """The health check goes through model and index; the stop signal starts the drain."""
    assert "/readyz" in stages()["base"]
    assert "HEALTHCHECK" in stages()["base"]
    assert "STOPSIGNAL SIGTERM" in stages()["base"]


def test_what_the_image_needs_is_sent_to_the_engine() -> None:
    """Every package of pyproject is let through by .dockerignore, and data is not."""
    import tomllib

    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]}

    assert packages | {"requirements", "examples", "pyproject.toml", "README.md"} <= let_in
    assert "*" in ignore
    assert "data" not in let_in
