"""The rules of the house: sizes, docstrings, layers, and a server without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "core",
    "encoders",
    "index",
    "zeroshot",
    "evaluation",
    "training",
    "service",
    "sightline",
    "cli",
)
FOLDERS = (*PACKAGES, "tests", "benchmarks", "examples")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """Return every source file of the repository, parsed, by its path."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in SOURCES
    }


@pytest.mark.xdist_group("house")
def test_no_file_is_too_long() -> None:
    """A file holds one noun; past 400 lines the room wants dividing."""
    too_long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in SOURCES
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MOST_LINES_OF_A_FILE
    ]

    assert too_long == []


@pytest.mark.xdist_group("house")
def test_no_function_is_too_long(trees: dict[str, ast.Module]) -> None:
    """A function does one thing in at most 60 lines."""
    too_long = [
        f"{name}: {node.name}: {length} lines"
        for name, tree in trees.items()
        for node in definitions(tree)
        if not isinstance(node, ast.ClassDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    ]

    assert too_long == []


@pytest.mark.xdist_group("house")
def test_every_module_and_public_name_has_a_docstring(trees: dict[str, ast.Module]) -> None:
    """Public modules, classes, functions and methods, and all tests, say what they are."""
    missing = [name for name, tree in trees.items() if not ast.get_docstring(tree)]
    missing += [
        f"{name}: {node.name}"
        for name, tree in trees.items()
        for node in definitions(tree)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]

    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_init_files_hold_a_docstring_only(package: str) -> None:
    """Importing a package imports nothing else."""
    for path in (ROOT / package).rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.Module(body, [])), path


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_resolve_to_this_repository(package: str) -> None:
    """Top-level names such as index and core are ours, not a package from site-packages."""
    __import__(package)
    found = Path(str(sys.modules[package].__file__)).resolve()

    assert found == (ROOT / package / "__init__.py").resolve()


def test_the_service_imports_no_training_package() -> None:
    """Importing the app, the gallery and the command line pulls in no torch."""
    script = (
        "import sys, service.app, index.gallery\n"
        "import cli.main, cli.serve, cli.demo, cli.add, cli.search, cli.classify\n"
        "heavy = {'torch', 'open_clip', 'torchvision', 'transformers', 'timm'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_serving_lock_holds_no_training_package() -> None:
    """The server installs and runs without torch."""
    lock = (ROOT / "requirements" / "serve.txt").read_text(encoding="utf-8")
    names = {line.split("==")[0] for line in lock.splitlines() if "==" in line}

    assert names.isdisjoint({"torch", "open-clip-torch", "torchvision", "transformers", "timm"})


@pytest.mark.parametrize("lock", ["serve.txt", "train.txt", "dev.txt", "peers.txt"])
def test_locks_name_no_registry(lock: str) -> None:
    """A lock pins versions and hashes; where they come from is the reader's own setting."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index-url" not in text


def test_the_version_is_the_newest_of_the_changelog() -> None:
    """CHANGELOG and pyproject agree on the version."""
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = [
        line
        for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("## [") and "Unreleased" not in line
    ]

    assert headings[0].startswith(f"## [{version}]")


def test_every_dependency_has_its_line_in_contributing() -> None:
    """A dependency earns a sentence that says what we would otherwise write."""
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    names = {re.split(r"[\[<>=]", line)[0] for line in lines} - {"sightline"}
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert [name for name in sorted(names) if f"`{name}`" not in contributing] == []


def definitions(node: ast.AST) -> Iterator[Definition]:
    """Yield every function and class under a node, functions inside functions excepted."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield child
            yield from definitions(child)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
