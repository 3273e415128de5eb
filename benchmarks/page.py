"""The page in a real browser, beside clip-retrieval's packaged front end on the same galleries.

    python -m benchmarks.page [--rounds 5] [--sizes 1000 100000] [--galleries data/bench/page]

Each round opens each front end with an empty cache, waits for it, and searches once. The two take
turns, so that a busy machine is unfair to neither; medians are printed. Galleries are made where
there are none (a minute for 100 000 items) and kept.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.page_fronts import Front, fronts
from benchmarks.page_gallery import make_page_gallery

ROOT = Path(__file__).parent.parent
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
ADJECTIVES = ("old", "small", "red", "two", "wooden", "wild", "bright", "quiet", "open", "round")
NOUNS = ("castle", "bird", "fish", "guitar", "flower", "boat", "train", "dog", "cup", "bridge")
FAR = 5000
_PATIENCE_MS = 120_000
_WATCH = """
    window.longTasks = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
    }).observe({ type: "longtask", buffered: true });
    for (const kind of ["keydown", "click"]) {
        window.addEventListener(kind, () => { window.pressedAt = performance.now(); }, true);
    }
"""
_SINCE_THE_KEY = """(drawn) => new Promise((resolve) => {
    const look = () => {
        if (drawn()) resolve(performance.now() - window.pressedAt);
        else requestAnimationFrame(look);
    };
    look();
})"""
_SCROLL_FAR = """async (far) => {
    const frame = () => new Promise(requestAnimationFrame);
    for (;;) {
        window.scrollTo(0, document.body.scrollHeight);
        await frame();
        await frame();
        const tiles = [...document.querySelectorAll(".tile")];
        if (Number(tiles.at(-1)?.getAttribute("aria-posinset")) >= far) return tiles.length;
    }
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit with one search cost. Times in milliseconds, sizes in kB."""

    first_paint_ms: float
    first_picture_ms: float
    """From the key press, or the click where there is no key for it, to the first hit drawn."""
    start_kb: float
    search_kb: float
    """Two seconds after the search, pictures included."""
    requests: float
    long_tasks: float
    longest_ms: float
    heap_mb: float


class Traffic:
    """Counts requests and bytes on the wire."""

    def __init__(self, session: CDPSession) -> None:
        """Begin to count."""
        self.bytes = 0
        self.requests = 0
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])
        self.requests += 1


def main() -> None:
    """Measure and print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--galleries", type=Path, default=ROOT / "data" / "bench" / "page")
    arguments = parser.parse_args()
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    print(
        f"machine: {platform.machine()}, {platform.platform()}, Python {platform.python_version()}"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for size in arguments.sizes:
            folder = arguments.galleries / str(size)
            make_page_gallery(folder, items=size)
            with fronts(folder) as both:
                measure(browser, both, size=size, rounds=arguments.rounds)
                measure_far(browser, both[0])
        browser.close()


def measure(browser: Browser, both: tuple[Front, Front], *, size: int, rounds: int) -> None:
    """Print the medians of both front ends on one gallery; a round before them is not counted."""
    queries = [f"{word} {noun}" for noun in NOUNS for word in ADJECTIVES]
    visits: dict[str, list[Visit]] = {front.name: [] for front in both}
    for number in range(rounds + 1):
        for front in both[:: 1 if number % 2 else -1]:
            # No text twice: none comes from the cache of text embeddings.
            found = visit(browser, front, queries.pop())
            if number:
                visits[front.name].append(found)
    print(f"\n{size} items, {rounds} rounds, medians")
    print(f"| | {' | '.join(visits)} |\n|---|---|---|")
    for place, field in enumerate(fields(Visit)):
        medians = [
            statistics.median([astuple(one)[place] for one in found]) for found in visits.values()
        ]
        print(f"| {field.name} | {' | '.join(f'{value:.4g}' for value in medians)} |")


def visit(browser: Browser, front: Front, query: str) -> Visit:
    """Open a front end with an empty cache, search once, and return what it cost."""
    page, session = opened(browser, front)
    traffic = Traffic(session)
    page.goto(front.address)
    page.wait_for_function(front.ready, timeout=_PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    paint_ms = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
    )
    start = traffic.bytes
    front.ask(page, query)
    picture_ms = page.evaluate(f"() => ({_SINCE_THE_KEY})({front.drawn})")
    page.wait_for_timeout(2000)
    tasks = page.evaluate("window.longTasks")
    heap = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    page.context.close()
    return Visit(
        paint_ms,
        picture_ms,
        start / 1000,
        (traffic.bytes - start) / 1000,
        traffic.requests,
        len(tasks),
        max(tasks, default=0),
        heap["JSHeapUsedSize"] / 1e6,
    )


def measure_far(browser: Browser, front: Front) -> None:
    """Print what thousands of pictures in one list cost our page; the peer's list ends before."""
    page, session = opened(browser, front)
    page.goto(front.address)
    page.wait_for_function(front.ready, timeout=_PATIENCE_MS)
    count = int(page.locator("#status").inner_text().split()[0].replace(",", ""))
    page.evaluate("window.longTasks = []")
    far = min(FAR, count - 50)
    tiles = page.evaluate(_SCROLL_FAR, far)
    tasks = page.evaluate("window.longTasks")
    heap = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    print(
        f"\nscrolled to picture {far}: {tiles} tiles exist, long tasks {len(tasks)}, longest "
        f"{max(tasks, default=0):.0f} ms, heap {heap['JSHeapUsedSize'] / 1e6:.1f} MB"
    )
    page.context.close()


def opened(browser: Browser, front: Front) -> tuple[Page, CDPSession]:
    """Return an empty page in a context of its own, which watches its main thread."""
    context = browser.new_context(base_url=front.address, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    page.add_init_script(_WATCH)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    return page, session


if __name__ == "__main__":
    main()
