"""Rules of the metrics: every stage is counted, no label holds what a client sent."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.errors import StorageError
from core.types import FloatArray
from service.engine import open_engine
from service.metrics import OTHER, STAGES, Metrics
from service.remote_images import RemoteImages
from tests.core.web import body, serving
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.observing import wait_until
from tests.service.raw_http import connected
from tests.service.running import add_colours, running, settings_for

ROOT = Path(__file__).parent.parent.parent
PRIVATE = "privateword"


def values_of(page: str) -> dict[str, float]:
    """Return the samples of a page by name and labels, as ``name{label="value"}``."""
    found = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def metrics_of(client: httpx.Client) -> dict[str, float]:
    """Return what a service publishes now."""
    return values_of(client.get("/metrics").text)


def test_every_stage_of_a_request_is_counted(empty: httpx.Client) -> None:
    """Adding, searching with a filter and by words, and classifying pass through all but one."""
    add_colours(empty)
    by_words = {"query": "red", "mode": "keyword"}
    filtered = {"query": "red", "filter": {"n": {"lt": 3}}}
    for query in (by_words, filtered):
        assert empty.post("/v1/search", json=query).status_code == 200
    empty.post("/v1/classify", json={"labels": ["red"], "image_id": "red"})
    counts = metrics_of(empty)

    passed = {
        stage for stage in STAGES if counts[f'sightline_stage_seconds_count{{stage="{stage}"}}']
    }
    assert passed == set(STAGES) - {"fetch"}


def test_the_stages_are_documented() -> None:
    """The table of docs/operate.md names each one and no other."""
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    table = page.split("The stages of `sightline_stage_seconds`:")[1].split("Names and labels")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(STAGES)


def test_no_label_holds_what_a_client_sent(empty: httpx.Client) -> None:
    """Paths, ids, queries, names of label sets and headers leave no trace."""
    add_colours(empty)
    picture = {"image": b"no picture"}
    empty.get(f"/{PRIVATE}")
    empty.get(f"/v1/items/{PRIVATE}")
    empty.get("/v1/search", params={"q": PRIVATE, "filter": f'{{"{PRIVATE}": 1}}'})
    empty.post("/v1/items", files=picture, data={"items": f'[{{"id": "{PRIVATE}"}}]'})
    empty.post("/v1/label-sets", json={"name": PRIVATE, "labels": [PRIVATE]})
    empty.post("/v1/classify", json={"label_set": PRIVATE, "image_id": "red"})
    empty.request(PRIVATE.upper(), "/v1/search")
    empty.get("/healthz", headers={"X-Request-ID": PRIVATE, "X-API-Key": PRIVATE})
    page = empty.get("/metrics").text

    assert PRIVATE not in page.lower()


def test_ids_do_not_make_series(empty: httpx.Client) -> None:
    """After requests for many items there are as many series as after one."""
    metrics_of(empty)
    empty.get("/v1/items/a")
    before = set(metrics_of(empty))
    for number in range(50):
        empty.get(f"/v1/items/b{number}")

    assert set(metrics_of(empty)) == before


@pytest.mark.parametrize("code", ["no code", "<script>", "x" * 41, "", "1"])
def test_a_code_that_is_not_ours_is_no_label(code: str) -> None:
    """A decoder process that was taken over may send any."""
    metrics = Metrics()
    metrics.image_refused(code)

    assert (
        values_of(metrics.render().decode())[f'sightline_images_refused_total{{code="{OTHER}"}}']
        == 1
    )


def test_the_number_of_codes_is_bounded() -> None:
    """Also where each looks like one of ours."""
    metrics = Metrics()
    letters = "abcdefghijklmnopqrst"
    for first in letters:
        for second in letters:
            metrics.rejected(f"code_{first}{second}")
    counts = values_of(metrics.render().decode())

    found = [name for name in counts if name.startswith("sightline_rejections_total")]
    assert len(found) == 101
    assert counts[f'sightline_rejections_total{{code="{OTHER}"}}'] == 300


class StuckEncoder(FakeEncoder):
    """Answers texts only while its gate is open."""

    def __init__(self) -> None:
        """Start open."""
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def encode_texts(self, texts: list[str]) -> FloatArray:  # type: ignore[override]
        """Wait for the gate."""
        self.entered.set()
        self.gate.wait(60)
        return super().encode_texts(texts)


def test_a_scrape_does_not_wait_for_the_model(tmp_path: Path) -> None:
    """While a model call hangs the page answers, and says what waits."""
    encoder = StuckEncoder()
    with running(tmp_path, encoder=encoder) as client:
        encoder.gate.clear()
        encoder.entered.clear()
        searching = threading.Thread(target=client.get, args=("/v1/search?q=sky",))
        searching.start()
        try:
            assert encoder.entered.wait(60)
            counts = metrics_of(client)
        finally:
            encoder.gate.set()
            searching.join(60)

    assert counts["sightline_requests_in_flight"] == 2
    assert counts["sightline_ready"] == 1


def test_a_service_that_takes_nothing_is_not_ready(tmp_path: Path) -> None:
    """While it drains, and when its model takes no work; read without asking the model."""
    metrics = Metrics()
    engine = open_engine(settings_for(tmp_path), metrics=metrics, encoder=FakeEncoder())
    try:
        assert values_of(metrics.render().decode())["sightline_ready"] == 1
        engine.draining = True
        assert values_of(metrics.render().decode())["sightline_ready"] == 0
        engine.draining = False
        engine.encoder.close()
        assert values_of(metrics.render().decode())["sightline_ready"] == 0
    finally:
        engine.close()


def test_a_client_that_left_is_a_request_with_status_499(tmp_path: Path) -> None:
    """It had no answer, and is counted all the same."""
    encoder = StuckEncoder()
    with running(tmp_path, encoder=encoder) as client:
        encoder.gate.clear()
        encoder.entered.clear()
        try:
            with connected(client) as left:
                left.sendall(b"GET /v1/search?q=sky HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert encoder.entered.wait(60)
            name = 'sightline_requests_total{method="GET",route="/v1/search",status="499"}'
            wait_until(lambda: metrics_of(client).get(name) == 1)
        finally:
            encoder.gate.set()


def test_images_by_url_are_counted_by_outcome(tmp_path: Path) -> None:
    """What was loaded, and why the others were not."""
    outcomes: list[str] = []
    settings = settings_for(
        tmp_path,
        fetch_urls=True,
        fetch_hosts=["127.0.0.1"],
        fetch_networks=["127.0.0.1/32"],
        fetch_timeout_s=60.0,
    )
    images = RemoteImages(settings, on_fetched=outcomes.append)
    try:
        with serving({"/red.png": body(picture_bytes("red"))}) as server:
            images.fetch({"image_url": f"{server}/red.png"})
        images.fetch({"image_url": "http://10.0.0.1/"})
    finally:
        images.close()

    assert outcomes == ["ok", "url_refused"]


def test_images_that_are_refused_are_counted_by_code(empty: httpx.Client) -> None:
    """One by one, also where a request has good ones, and also in searches."""
    empty.post("/v1/items", files={"image": b"no picture"})
    empty.post("/v1/search", files={"image": b"no picture"})
    counts = metrics_of(empty)

    assert counts['sightline_images_refused_total{code="image_unsupported"}'] == 2


def test_the_index_is_described(empty: httpx.Client) -> None:
    """Rows by part, commits with what they stored, nothing refused, room on the disk."""
    add_colours(empty)
    empty.delete("/v1/items/red")
    counts = metrics_of(empty)

    assert counts["sightline_gallery_items"] == 5
    assert counts['sightline_index_rows{part="delta"}'] == 5
    assert counts['sightline_index_rows{part="base"}'] == 0
    assert counts["sightline_commit_seconds_count"] >= 2
    assert counts["sightline_commit_changes_sum"] >= 2
    assert counts["sightline_write_errors_total"] == 0
    assert counts["sightline_write_queue"] == 0
    assert 0 < counts["sightline_disk_free_bytes"] <= counts["sightline_disk_bytes"]


def test_a_number_that_cannot_be_read_harms_no_other() -> None:
    """It is left out of the page; the rest is there."""

    def broken() -> float:
        raise StorageError("the disk is gone")

    metrics = Metrics()
    metrics.live.add_gauge("broken", "Cannot be read.", broken)
    metrics.live.add_gauge("whole", "Can be read.", lambda: 7.0)
    counts = values_of(metrics.render().decode())

    assert counts["sightline_whole"] == 7
    assert "sightline_broken" not in counts


def test_the_process_is_measured(colours: httpx.Client) -> None:
    """Memory, CPU time and open files of this very process."""
    counts = metrics_of(colours)

    for name in ("resident_memory_bytes", "cpu_seconds_total", "open_fds"):
        assert counts[f"process_{name}"] > 0


def test_cache_counters_have_one_series_for_each_cache(colours: httpx.Client) -> None:
    """Counted as counters: their names end in _total."""
    counts = metrics_of(colours)

    for what in ("hits_total", "misses_total", "evictions_total", "entries"):
        found = [name for name in counts if name.startswith(f"sightline_cache_{what}{{")]
        assert [re.findall('cache="(.*)"', name)[0] for name in found] == [
            "text",
            "image",
            "classifier",
        ]
