"""The monitoring profile: what its files name exists, in /metrics and on the disk."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from service.keys import Scope, add_key, keys_path
from service.metrics import Metrics
from tests.service.running import add_colours, running

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "monitoring"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
MONITORING = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service.get("profiles") == ["monitoring"]
}
OWN_LABELS = {"job", "instance", "le"}
"""Set by Prometheus itself."""
WORD = re.compile(r"[a-z_]\w*")


def document(path: str) -> Any:
    """Return a YAML file of the folder."""
    return yaml.safe_load((FOLDER / path).read_text(encoding="utf-8"))


def dashboard_expressions() -> dict[str, str]:
    """Return the queries of the dashboard by the title of their panel and their place."""
    dashboard = json.loads((FOLDER / "dashboards" / "sightline.json").read_text(encoding="utf-8"))
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    }


def alert_expressions() -> dict[str, str]:
    """Return the conditions of the alert rules by name."""
    rules = document("alerts.yml")["groups"][0]["rules"]
    return {rule["alert"]: rule["expr"] for rule in rules}


EXPRESSIONS = {**dashboard_expressions(), **alert_expressions()}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the labels of each name that a service publishes after some requests."""
    with running(tmp_path_factory.mktemp("monitored")) as client:
        use_everything(client)
        page = client.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    # A counter with labels has no sample before its first event.
    for collector in Metrics()._registry._collector_to_names:
        if isinstance(collector, Counter):
            found.setdefault(f"{collector._name}_total", set(collector._labelnames))
    return found


def use_everything(client: httpx.Client) -> None:
    """Add, search, classify, and be refused, so that each metric has samples."""
    add_colours(client)
    client.get("/v1/search", params={"q": "red"})
    client.get("/v1/search", params={"q": "red", "k": 0})
    client.post("/v1/classify", json={"labels": ["red"], "image_id": "red"})
    client.post("/v1/items", files={"image": b"no image"})


def metrics_of(expression: str) -> set[str]:
    """Return the names of metrics in a query."""
    return set(re.findall(r"\b((?:sightline|process)_\w+)", expression))


def labels_of(expression: str) -> Iterator[str]:
    """Yield the labels that a query selects and groups by."""
    for selector in re.findall(r"\{([^}]*)\}", expression):
        yield from re.findall(r"(\w+)(?:=~|!~|!=|=)", selector)
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        yield from WORD.findall(group)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_metric_that_is_asked_for_is_published(
    name: str, published: dict[str, set[str]]
) -> None:
    """A renamed metric would leave a panel empty and an alert silent."""
    expression = EXPRESSIONS[name]
    asked = metrics_of(expression)

    assert asked or expression.startswith("up{")
    assert asked <= set(published)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_label_that_is_asked_for_exists(name: str, published: dict[str, set[str]]) -> None:
    """A misspelt label would select nothing."""
    expression = EXPRESSIONS[name]
    known = OWN_LABELS.union(*(published[metric] for metric in metrics_of(expression)))

    assert set(labels_of(expression)) <= known


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_brackets_of_every_query_are_closed(name: str) -> None:
    """Prometheus would refuse the whole file."""
    for pair in ("()", "{}", "[]"):
        assert EXPRESSIONS[name].count(pair[0]) == EXPRESSIONS[name].count(pair[1])


def test_the_alerts_are_complete() -> None:
    """Each has a name, a severity and a text for who is woken up."""
    rules = document("alerts.yml")["groups"][0]["rules"]

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_panels_do_not_overlap() -> None:
    """Each has a place of its own in the grid of 24 columns."""
    dashboard = json.loads((FOLDER / "dashboards" / "sightline.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {
            (column, line)
            for column in range(at["x"], at["x"] + at["w"])
            for line in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("name", MONITORING)
def test_every_mounted_file_exists(name: str) -> None:
    """Docker would make an empty folder of a missing file, and the program would not start."""
    for volume in MONITORING[name]["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", MONITORING)
def test_nothing_is_published_to_other_machines(name: str) -> None:
    """Grafana asks for no login, so its port is this machine's alone; versions are pinned."""
    service = MONITORING[name]

    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert re.search(r":v?\d+\.\d+\.\d+\Z", service["image"])


def test_prometheus_asks_the_service_by_a_name_that_it_answers_to() -> None:
    """The scraped host is a service of the compose file and one of its allowed hosts."""
    scrape = document("prometheus.yml")["scrape_configs"][0]
    host, port = scrape["static_configs"][0]["targets"][0].split(":")
    service = COMPOSE["services"][host]

    assert service["environment"]["SIGHTLINE_PORT"] == port
    assert host in service["environment"]["SIGHTLINE_ALLOWED_HOSTS"]


def test_prometheus_gets_its_key_as_a_secret() -> None:
    """The file that it reads is the secret that compose mounts, by default one without a key."""
    scrape = document("prometheus.yml")["scrape_configs"][0]
    secret = Path(scrape["authorization"]["credentials_file"])
    default = re.search(r":-([^}]*)\}", COMPOSE["secrets"][secret.name]["file"])

    assert MONITORING["prometheus"]["secrets"] == [secret.name]
    assert default is not None
    assert (ROOT / default.group(1)).read_text(encoding="utf-8").strip() == "none"


def test_a_scrape_with_a_key_of_prometheus_works(tmp_path: Path) -> None:
    """With the header that Prometheus sends: an admin key on a closed gallery, any on an open."""
    with running(tmp_path) as client:
        none = {"Authorization": "Bearer none"}
        assert client.get("/metrics", headers=none).status_code == 200
        path = keys_path(tmp_path / "gallery")
        key = add_key(path, "prometheus", Scope.ADMIN, now=time.time())
        assert client.get("/metrics", headers=none).status_code == 401
        key_header = {"Authorization": f"Bearer {key}"}
        assert client.get("/metrics", headers=key_header).status_code == 200
