"""Pictures of the page in every state, with the starter model: look at all of them after a change.

    python -m tests.browser.screenshots --out screenshots [--only TEXT] [--docs docs/images]

A real service holds most of the example gallery, some marks, a label set and a report. Each state
is taken on a wide screen in light and in dark, and on a phone.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.labelling import give_to_label, show_tab, use_labels
from tests.browser.starter_service import GALLERY, ROOT, example_pairs, sightline, starter_service

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
QUERIES = ROOT / "examples" / "queries"
TIMEOUT_MS = 60_000
PETS = ("dog", "horse", "cow", "sheep")
KEPT_BACK = 10
"""Of so many pictures one is kept for each look, which adds it."""
HEALTH_POINTS = 5
"""Of the lines of the health view; they are four seconds apart."""
SET = "animals"
DOCS = {
    "search": "results",
    "details": "details",
    "label": "label",
    "teach": "label-teach",
    "add": "add",
    "quality": "quality",
    "health": "health",
}
"""Pictures of the documentation and the states that they show."""
DOCS_PHONES = ("start", "results", "judge")

Shot = Callable[[Page, Path], None]
"""Brings a page into a state; the folder is for files to drop."""


def main() -> None:
    """Write ``OUT/STATE-LOOK.png`` for every state and look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--only", default="", help="the states whose names hold this")
    parser.add_argument("--docs", type=Path, help="also write the pictures of the documentation")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        parser.error("no chromium: 'apt-get install chromium'")
    expect.set_options(timeout=TIMEOUT_MS)
    pairs = example_pairs()
    served = [pair for place, pair in enumerate(pairs) if place % KEPT_BACK >= len(LOOKS)]
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        with starter_service(folder, served) as service:
            prepare(service, folder)
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            for path in take_all(browser, service, arguments.out, arguments.only):
                sys.stdout.write(f"{path}\n")
            browser.close()
    if arguments.docs is not None:
        write_docs(arguments.out, arguments.docs)


def write_docs(taken: Path, out: Path) -> None:
    """Write the best pictures small enough for the documentation; phones stand side by side."""
    for name, state in DOCS.items():
        _small(Image.open(taken / f"{state}-light.png")).save(out / f"{name}.png", optimize=True)
    phones = [Image.open(taken / f"{state}-phone.png").convert("RGB") for state in DOCS_PHONES]
    width, height, gap = phones[0].width, phones[0].height, 48
    row = Image.new("RGB", (len(phones) * (width + gap) - gap, height), "white")
    for place, phone in enumerate(phones):
        row.paste(phone, (place * (width + gap), 0))
    row.thumbnail((1240, 1240))
    _small(row).save(out / "phone.png", optimize=True)


def _small(picture: Image.Image) -> Image.Image:
    """Return a picture in 256 colours: a third of the bytes, and text stays sharp."""
    return picture.convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)


def take_all(browser: Browser, service: httpx.Client, out: Path, only: str) -> Iterator[Path]:
    """Take every state in every look."""
    for place, (look, options) in enumerate(LOOKS.items()):
        for state, shot in STATES.items():
            if only not in state:
                continue
            context = browser.new_context(base_url=str(service.base_url), **options)
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            with tempfile.TemporaryDirectory() as folder:
                _write_new_pictures(Path(folder) / "holiday", place)
                shot(page, Path(folder) / "holiday")
                _settle(page)
                page.screenshot(path=out / f"{state}-{look}.png")
            context.close()
            yield out / f"{state}-{look}.png"


def prepare(service: httpx.Client, folder: Path) -> None:
    """Judge a few queries by the labels of the pictures, save a label set, write a report."""
    labels = {pair["id"]: pair["label"] for pair in example_pairs()}
    for query, label in [("a bird", "bird"), ("a fish", "fish"), ("a castle", "castle")]:
        hits = service.get("/v1/search", params={"q": query, "k": 10}).json()["hits"]
        marks = [{"item_id": hit["id"], "grade": int(labels[hit["id"]] == label)} for hit in hits]
        body = {"query": query, "marks": marks}
        service.put("/v1/judgements", json=body).raise_for_status()
    for name in (SET, *(f"{SET}-{look}" for look in LOOKS)):
        body = {"name": name, "labels": list(PETS)}
        service.post("/v1/label-sets", json=body).raise_for_status()
    pairs = ROOT / "examples" / "pairs" / "heldout.jsonl"
    sightline("evaluate", "retrieval", pairs, "--out", folder / "reports" / "held-out")


def start(page: Page, _folder: Path) -> None:
    """The first thing that anybody sees."""
    page.goto("/")
    _pictures_are_drawn(page)


def results(page: Page, _folder: Path) -> None:
    """The answer to words."""
    page.goto("/?q=a+castle+by+the+water")
    _pictures_are_drawn(page)


def chips(page: Page, _folder: Path) -> None:
    """Words with a weight, without something, and a filter."""
    page.goto('/?q=2:"a+flower"+-red&filter={"category":"plant"}')
    _pictures_are_drawn(page)


def cut_off(page: Page, _folder: Path) -> None:
    """The line below which hits are probably not what was asked for."""
    page.goto("/?q=a+castle&cutoff=0.25")
    _pictures_are_drawn(page)
    page.locator(".cutoff").evaluate("(line) => line.scrollIntoView({ block: 'center' })")
    _pictures_are_drawn(page)


def filters(page: Page, _folder: Path) -> None:
    """The metadata fields with their values."""
    page.goto("/?q=an+animal")
    _pictures_are_drawn(page)
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator("#filter-fields summary").first.click()
    expect(page.locator(".filter-choices input").first).to_be_visible()


def details(page: Page, _folder: Path) -> None:
    """One hit: why, facts, neighbours."""
    page.goto("/?q=a+castle+2:river")
    _pictures_are_drawn(page)
    page.locator(".tile-open").first.click()
    expect(page.locator("#details-neighbours img").first).to_be_visible()
    expect(page.locator("#details-why")).to_be_visible()


def judge(page: Page, _folder: Path) -> None:
    """Hits with their marks, and what they say of the query."""
    page.goto("/?q=a+fish&judge=1")
    _pictures_are_drawn(page)
    expect(page.locator(".mark[aria-pressed='true']").first).to_be_visible()


def dropped(page: Page, _folder: Path) -> None:
    """A picture as the query."""
    page.goto("/")
    page.locator("#query-file").set_input_files(QUERIES / "windmill.jpg")
    expect(page.locator("#query-image")).to_be_visible()
    expect(page.locator(".tile .score").first).to_be_visible()
    _pictures_are_drawn(page)


def label(page: Page, _folder: Path) -> None:
    """Pictures with a bar for each label."""
    page.goto("/?view=label")
    use_labels(page, "cat", "dog", "coffee", "flower", "windmill")
    page.locator("#label-file").set_input_files(sorted(QUERIES.glob("*.jpg")))
    winners = page.locator(".label-verdict", has_text=re.compile("cat|coffee|flower|windmill"))
    expect(winners).to_have_count(4)


def label_templates(page: Page, folder: Path) -> None:
    """What each set of templates does."""
    label(page, folder)
    show_tab(page, "Templates")
    page.get_by_role("button", name="Compare on these pictures").click()
    expect(page.locator(".has-effects")).to_have_count(1)
    expect(page.locator("#template-progress")).to_be_hidden()


def label_teach(page: Page, _folder: Path) -> None:
    """What examples have changed; each look has a set of its own."""
    name = next(name for name in LOOKS if _is_look(page, name))
    page.goto(f"/?view=label&set={SET}-{name}")
    show_tab(page, "Teach")
    pairs = example_pairs()
    for label_name in PETS:
        paths = [Path(pair["image"]) for pair in pairs if pair["label"] == label_name]
        give_to_label(page, label_name, paths)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#teach-outcome section").first).to_be_visible()
    expect(page.locator("#teach-progress")).to_be_hidden()
    page.locator("#teach-use").evaluate("(node) => node.scrollIntoView({ block: 'start' })")


def add(page: Page, folder: Path) -> None:
    """Half of a folder is in, one file of it was refused."""
    taken = 0

    def let_one_through(route: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == 1:
            route.continue_()

    page.goto("/?view=add")
    expect(page.locator("#add-pick-folder")).to_be_enabled()
    page.route("**/v1/items", let_one_through)
    page.locator("#add-folder").set_input_files(str(folder))
    expect(page.locator("#add-refused-list li")).to_have_count(1)
    expect(page.locator("#add-recent-list img").first).to_be_visible()


def quality(page: Page, _folder: Path) -> None:
    """The marks, measured."""
    page.goto("/?view=quality")
    expect(page.locator("#judged-rows tr")).to_have_count(3)
    expect(page.locator(".report")).to_have_count(1)


def report(page: Page, _folder: Path) -> None:
    """A report in its place."""
    page.goto("/?view=quality&report=held-out")
    expect(page.frame_locator(".report-frame").locator("#headline")).to_be_visible()
    page.locator("#report-open").evaluate("(node) => node.scrollIntoView({ block: 'start' })")


def health(page: Page, _folder: Path) -> None:
    """How the service does."""
    page.goto("/?view=health")
    expect(page.locator("#health-cards")).to_be_visible()
    expect(page.locator("#health-routes tr").first).to_be_visible()
    points = "() => document.querySelector('#health-rate-line polyline').points.numberOfItems"
    asked = 0
    while page.evaluate(points) < HEALTH_POINTS:
        asked += 1
        page.request.get(f"/v1/search?q=a+bird+{asked % 40}")


def help_(page: Page, _folder: Path) -> None:
    """How to ask, and the keys."""
    page.goto("/")
    _pictures_are_drawn(page)
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_role("dialog", name="How to ask")).to_be_visible()


def empty(page: Page, _folder: Path) -> None:
    """Nothing has these words."""
    page.goto("/?q=jurisprudence&mode=keyword")
    expect(page.get_by_role("alert")).to_contain_text("No caption")


def error(page: Page, _folder: Path) -> None:
    """A query that the service refuses."""
    page.goto("/?q=a+bird&filter=nonsense")
    expect(page.get_by_role("alert")).to_be_visible()


STATES: dict[str, Shot] = {
    "start": start,
    "results": results,
    "chips": chips,
    "cut-off": cut_off,
    "filters": filters,
    "details": details,
    "judge": judge,
    "dropped": dropped,
    "label": label,
    "label-templates": label_templates,
    "label-teach": label_teach,
    "add": add,
    "quality": quality,
    "report": report,
    "health": health,
    "help": help_,
    "empty": empty,
    "error": error,
}


def _is_look(page: Page, name: str) -> bool:
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    size = page.viewport_size
    assert size is not None
    wanted = LOOKS[name]
    is_dark = wanted.get("color_scheme") == "dark"
    return bool(size == wanted["viewport"] and scheme == is_dark)


def _write_new_pictures(folder: Path, place: int) -> None:
    """Write pictures that the gallery does not have, with captions, and one that is cut short."""
    folder.mkdir()
    pairs = example_pairs()
    for pair in pairs[place::KEPT_BACK]:
        source = Path(pair["image"])
        shutil.copy(source, folder / source.name)
        caption = folder / f"{source.stem}.txt"
        caption.write_text(pair["captions"][0] if pair["captions"] else source.stem)
    whole = (GALLERY / "images" / Path(pairs[0]["image"]).name).read_bytes()
    (folder / "a-cut-download.jpg").write_bytes(whole[: len(whole) // 2])


def _pictures_are_drawn(page: Page) -> None:
    """Wait until every thumbnail in the window has its pixels."""
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".tile").first).to_be_visible()


def _settle(page: Page) -> None:
    """Wait until every picture that is there has its pixels and nothing moves."""
    page.wait_for_function(
        "() => [...document.images].every((one) => !one.getAttribute('src') || one.complete)"
        " && document.getAnimations().every((one) => one.playState !== 'running'"
        " || one.effect.getComputedTiming().endTime === Infinity)"
    )


if __name__ == "__main__":
    main()
