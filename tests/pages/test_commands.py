"""Every command that the documentation shows is run, page by page, from top to bottom."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders.loading import STARTER_MODEL, load_encoder
from tests.pages.running import PageRunner, shape, steps_of
from tests.pages.world import ROOT, furnish
from tests.service.running import running

PAGES = [
    page
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    if any(steps_of(page))
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
MARKS = "marks that people made on the page; tests/cli/test_judgements.py makes some and runs these"
LEFT_OUT = (
    (r"^(make|source|pip) ", "an installation; CI itself runs make test, and make demo has a test"),
    (r"docker compose", "no container engine; tests/test_compose.py reads the file"),
    (r"^sightline train|^torchrun", "minutes; tests/test_walkthrough.py and tests/training train"),
    (r"--watch", "runs until Ctrl-C; tests/cli/test_watching.py"),
    (r"^sightline demo", "serves until Ctrl-C; tests/cli/test_demo.py"),
    (r"ViT-B-32/|hf-hub:", "published weights; there is no hub in the tests"),
    (r"python -m benchmarks", "a measurement"),
    (
        r"evaluate probe --train train --val|--ablate-templates",
        "many fits; tests/evaluation/test_probe.py and tests/cli/test_evaluate.py",
    ),
    (r"data/walkthrough|:8010", "tests/test_walkthrough.py runs that page"),
    (r"local-dir:runs/|data/first", "what a training run leaves; the walk-through exports one"),
    (r"models merge", "what training runs leave; tests/cli/test_merge.py"),
    (r"models tune", "minutes; tests/cli/test_tune.py"),
    (r"judgements score|--run run\.trec|reports/(judged|today)", MARKS),
    (r"--urls addresses", "a foreign machine; tests/cli/test_add.py"),
)
"""Lines that cannot run here, and why."""
CODES = (
    (r"data check .* --strict", 1, "so few pairs are worth a warning"),
    (r"add --retry-failed", 1, "no failed image is left"),
    (r"evaluate gate", 1, "a gate that does not pass"),
)
"""Lines that end with another code than 0, and why."""
BEFORE = {
    "docs/evaluate.md": (
        "sightline labels save pets --labels cat,dog,parrot --url http://127.0.0.1:8000",
        "sightline evaluate retrieval pairs.jsonl --out reports/first",
        "cp -r reports/first reports/second && cp reports/first/qrels.trec .",
        "sightline evaluate embed train --out train.npz",
        "sightline evaluate embed val --out val.npz",
        "sightline evaluate embed test --out test.npz",
    ),
    "docs/metrics.md": (
        "sightline evaluate retrieval pairs.jsonl --index gallery --out reports/old",
        "cp -r reports/old reports/new",
    ),
}
"""What the reader of a page has done before."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the files that the pages name, once."""
    folder = tmp_path_factory.mktemp("pages") / "world"
    folder.mkdir()
    furnish(folder, load_encoder(STARTER_MODEL))
    return folder


@pytest.fixture
def runner(
    furnished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[PageRunner]:
    """Return a runner in a copy of the files, beside a server of the starter model."""
    folder = tmp_path / "here"
    shutil.copytree(furnished, folder, symlinks=True)
    monkeypatch.chdir(folder)
    encoder = load_encoder(STARTER_MODEL)
    with running(
        folder,
        encoder=encoder,
        gallery=folder / "served" / "gallery",
        wires=("clip-retrieval", "immich"),
    ) as http:
        yield PageRunner(
            folder, str(http.base_url).rstrip("/"), lambda: tuple(capfd.readouterr())[:2]
        )


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_of_a_page_does_what_it_says(page: Path, runner: PageRunner) -> None:
    """The commands of a page run in order and end with 0, and answers have the documented shape."""
    for line in BEFORE.get(page.relative_to(ROOT).as_posix(), ()):
        outcome = runner.run(line)
        assert outcome.code == 0, outcome
    problems = []
    for step in steps_of(page):
        if any(re.search(pattern, step.line) for pattern, _ in LEFT_OUT):
            continue
        outcome = runner.run(step.line)
        if outcome.code != expected_code(step.line):
            problems.append(
                f"{step.line}\n  {outcome.code}: {outcome.err[-600:]}{outcome.out[-300:]}"
            )
        elif step.answer is not None:
            assert shape(json.loads(outcome.out)) == shape(json.loads(step.answer)), step.line

    assert problems == [], "\n".join(problems)


def expected_code(line: str) -> int:
    """Return the exit code that a line has to end with."""
    return next((code for pattern, code, _ in CODES if re.search(pattern, line)), 0)
