"""The health view in a real browser, against a real service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from index.failures import Failure, RecordFailures
from index.gallery import Gallery
from index.items import FileStamp
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.fakes import FakeEncoder
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

HEALTH = "**/v1/health"
ARABIC = "/photos/\u0635\u0648\u0631\u0629.jpg"
ROOMY = {"disk": {"free_bytes": 50_000_000_000, "total_bytes": 100_000_000_000}}
"""The disk of the machine that runs the tests may be full."""
CARD = """---
license: mit
---
# A model <script>alert(1)</script>

Text with **weight** and `code`.

- one
- two
  goes on

| set | hit@1 |
|---|---|
| stamps | 26.4 |

```
sightline serve
```
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve six colours and one file that could not be added."""
    folder = tmp_path_factory.mktemp("health")
    with Gallery.open(folder / "gallery", FakeEncoder()) as gallery:
        stamp = FileStamp(ARABIC, 1, 1)
        failure = Failure(stamp, "image_truncated", "it is cut short", lasting=True)
        gallery.collection.write(RecordFailures([failure]))
    with running(folder) as client:
        add_colours(client)
        client.get("/v1/search?q=red")
        yield client


def change(page: Page, changes: dict[str, Any]) -> None:
    """Let each answer of the service come with some parts changed, one level deep."""

    def answer(route: Route) -> None:
        response = route.fetch()
        found = response.json()
        for part, new in changes.items():
            found[part] = {**found[part], **new} if isinstance(new, dict) else new
        route.fulfill(response=response, json=found)

    page.route(HEALTH, answer)


def look_again(page: Page) -> None:
    """Leave the view and return: it asks at once, not only when its time has come."""
    page.get_by_role("link", name="Add").click()
    page.get_by_role("link", name="Health").click()


def opened(open_page: OpenPage, changes: dict[str, Any], **options: Any) -> Page:
    """Open the view with changed answers: the page first, so that the first one is changed too."""
    page = open_page("/?view=add", **options)
    expect(page.locator("#add-title")).to_be_visible()
    change(page, changes)
    page.get_by_role("link", name="Health").click()
    expect(page.locator("#health-cards")).to_be_visible()
    return page


def test_the_state_comes_in_words_and_the_numbers_below(open_page: OpenPage) -> None:
    """What is well is said to be well; what is worth knowing stands beside it."""
    page = opened(open_page, ROOMY)

    expect(page.locator("#health-verdict")).to_have_text("All well")
    expect(page.locator("#health-reasons")).to_contain_text("1 file could not be added")
    expect(page.locator("#health-reasons")).to_contain_text("not calibrated")
    expect(page.locator("#health-gallery-number")).to_have_text("100 % of 6 pictures can be found")
    expect(page.locator("#health-routes")).to_contain_text("/v1/search")
    expect(page.locator("#health-failures bdi")).to_have_text(ARABIC)
    expect(page.locator("#health-failures")).to_contain_text("it is cut short")
    expect(page.locator("#health-model")).to_contain_text("fake")


def test_it_asks_again_only_as_long_as_it_is_shown(open_page: OpenPage) -> None:
    """The second answer comes by itself; after leaving none is asked for."""
    page = open_page("/?view=health")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response(HEALTH):
        pass
    expect(page.locator("#health-load")).to_contain_text("since the start")
    page.get_by_role("link", name="Label").click()
    expect(page.get_by_role("heading", name="Which word fits?")).to_be_visible()
    before = sum("/v1/health" in url for url in asked)
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 4500))")

    assert sum("/v1/health" in url for url in asked) == before


def test_a_service_in_trouble_says_what_is_wrong(open_page: OpenPage) -> None:
    """The worst reasons come first, each in a sentence."""
    changes = {
        "ready": {"ok": False, "reason": "the model is stuck"},
        "gallery": {"items": 1000, "damaged": 12, "coverage": 0.9996},
        "disk": {"free_bytes": 5_000_000_000, "total_bytes": 100_000_000_000},
        "index": {"merging": True},
    }
    page = opened(open_page, changes)

    expect(page.locator("#health-verdict")).to_have_text("In trouble")
    expect(page.locator("#health-state")).to_have_attribute("data-level", "trouble")
    expect(page.locator("#health-reasons li").first).to_have_text(
        "It takes no requests: the model is stuck."
    )
    for words in ("12 pictures cannot be found", "The disk is 95 % full", "merge of the index is"):
        expect(page.locator("#health-reasons")).to_contain_text(words)
    expect(page.locator("#health-gallery-number")).to_contain_text("99 %")


def test_refusals_of_the_last_minutes_make_it_worth_a_look(open_page: OpenPage) -> None:
    """Judged by what grew between two answers, with the share of all requests."""
    page = open_page("/?view=add")
    expect(page.locator("#add-title")).to_be_visible()
    refused = 0

    def answer(route: Route) -> None:
        response = route.fetch()
        found = response.json()
        found["disk"] |= ROOMY["disk"]
        found["requests"]["by_status"] = {"200": 1000 + 19 * refused, "429": refused}
        route.fulfill(response=response, json=found)

    page.route(HEALTH, answer)
    page.get_by_role("link", name="Health").click()
    expect(page.locator("#health-verdict")).to_have_text("All well")
    refused = 5
    look_again(page)

    expect(page.locator("#health-verdict")).to_have_text("Worth a look")
    expect(page.locator("#health-reasons")).to_contain_text(
        "It is full: 5 % of the requests were refused in the last"
    )


def test_a_service_that_is_gone_is_told_and_found_again(open_page: OpenPage) -> None:
    """The numbers stay, faded; the next answer mends all."""
    page = opened(open_page, ROOMY, refusals=True)
    expect(page.locator("#health-verdict")).to_have_text("All well")
    page.unroute(HEALTH)
    page.route(HEALTH, lambda route: route.abort())
    look_again(page)
    expect(page.locator("#health-verdict")).to_have_text("No answer")
    expect(page.locator("#health-gallery-number")).to_contain_text("100 %")
    page.unroute(HEALTH)
    change(page, ROOMY)
    look_again(page)

    expect(page.locator("#health-verdict")).to_have_text("All well")


def test_the_card_of_the_model_is_text_and_never_markup(open_page: OpenPage) -> None:
    """Headings, lists, tables and code are drawn; a script in it is words."""
    card = {"card": CARD, "calibrated": True}
    page = opened(open_page, {"model": card})
    page.get_by_text("Model card").click()

    body = page.locator("#health-card-body")
    expect(body.locator("h4")).to_have_text("A model <script>alert(1)</script>")
    expect(body.locator("strong")).to_have_text("weight")
    expect(body.locator("li")).to_have_text(["one", "two goes on"])
    expect(body.locator("td")).to_have_text(["stamps", "26.4"])
    expect(body.locator("pre")).to_have_text(["license: mit", "sightline serve"])
    assert body.locator("script").count() == 0


def test_it_is_usable_on_a_phone_in_the_dark_and_by_everybody(open_page: OpenPage) -> None:
    """axe-core finds nothing serious, and nothing is wider than the screen."""
    small = {"width": 360, "height": 740}
    page = opened(open_page, {"model": {"card": CARD}}, viewport=small, color_scheme="dark")
    page.locator("#health-card-text summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#health-card-body td").first).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= small["width"]
    assert_accessible(page)


PERCENTILES = """async () => {
    const { percentile } = await import("/static/health/history.js");
    const bounds = [0.1, 1];
    return [
        percentile([], bounds, 0.5),
        percentile([0, 0, 0], bounds, 0.5),
        percentile([4, 4, 4], bounds, 0.5),
        percentile([2, 4, 4], bounds, 0.75),
        percentile([0, 0, 4], bounds, 0.5),
    ];
}"""


def test_percentiles_are_read_from_buckets(open_page: OpenPage) -> None:
    """Within a bucket requests are spread evenly; beyond the last bound nothing more is known."""
    page = open_page("/?view=health")

    assert page.evaluate(PERCENTILES) == [None, None, 0.05, 0.55, 1]
