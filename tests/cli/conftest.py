"""Galleries behind servers, and commands run in this process, for the tests of ``--url``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cli.folder_gallery
import cli.local_labels
import cli.opening
from cli.main import main
from tests.cli.runs import Run
from tests.fakes import COLOURS, FakeEncoder, picture_bytes
from tests.service.running import add_colours, running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command line and gives its exit code, stdout and stderr."""
    monkeypatch.setattr(cli.folder_gallery, "open_encoder", lambda *_: FakeEncoder())
    monkeypatch.setattr(cli.local_labels, "open_encoder", lambda *_: FakeEncoder())
    monkeypatch.setattr(cli.opening, "open_encoder", lambda *_: FakeEncoder())
    monkeypatch.delenv("SIGHTLINE_URL", raising=False)

    def run_it(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sightline", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run_it


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Serve a gallery that tests only read; yield its folder and address."""
    folder = tmp_path_factory.mktemp("served")
    with running(folder) as http:
        add_colours(http)
        yield folder / "gallery", str(http.base_url)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[str]:
    """Serve an empty gallery that the test may fill; yield its address."""
    with running(tmp_path / "served") as http:
        yield str(http.base_url)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of six pictures, a corrupt one and a table that names two of them."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for place, name in enumerate(COLOURS):
        target = folder / "more" if place % 2 else folder
        (target / f"{name}.png").write_bytes(picture_bytes(name))
    (folder / "corrupt.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 50)
    table = "id,image,caption,year\nr1,red.png,a red square,2020\ng1,more/green.png,green,2021\n"
    (folder / "pairs.csv").write_text(table)
    return folder
