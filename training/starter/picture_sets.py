"""Which pictures the starter model learns from and which it is only measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from training.starter import packages
from training.starter.clip_art import clip_art_pictures
from training.starter.emoji import file_pictures, iconify_pictures, read_emoji
from training.starter.packages import Package
from training.starter.pictures import Picture
from training.starter.stamps import stamp_pictures
from training.starter.wordnet import read_vocabulary

TRAINING_SETS = ("noto", "fluent-3d", "fluent-flat", "clip-art")
HELD_OUT_SETS = ("stamps", "twemoji")
"""Never trained on; a fifth of the clip art is held out besides."""
HELD_OUT_SHARE = 5

Folders = Mapping[Package, Path]


def read_picture_sets(folders: Folders) -> dict[str, list[Picture]]:
    """Return every picture by set, from the unpacked packages."""
    openclipart = Path("usr/share/openclipart")
    emoji = read_emoji(folders[packages.EMOJI_NAMES] / "package/en/data.json")
    flat = folders[packages.FLUENT_FLAT] / "package"
    clip_art = clip_art_pictures(
        folders[packages.CLIP_ART_PIXELS] / openclipart / "png",
        folders[packages.CLIP_ART_KEYWORDS] / openclipart / "svg",
        read_vocabulary(wordnet_folder(folders)),
    )
    stamps = folders[packages.STAMPS] / "usr/share/tuxpaint/stamps"
    return {
        "noto": list(iconify_pictures(folders[packages.NOTO] / "package", "noto", emoji)),
        "fluent-3d": list(
            file_pictures(folders[packages.FLUENT_3D] / "package/assets", "fluent-3d", emoji)
        ),
        "fluent-flat": list(iconify_pictures(flat, "fluent-flat", emoji)),
        "twemoji": list(iconify_pictures(folders[packages.TWEMOJI] / "package", "twemoji", emoji)),
        "clip-art": list(clip_art),
        "stamps": list(stamp_pictures(stamps)),
    }


def wordnet_folder(folders: Folders) -> Path:
    """Return the folder of WordNet's database files."""
    return folders[packages.WORDNET] / "usr/share/wordnet"


def is_held_out(concept: str) -> bool:
    """Return whether clip art of this concept is held out: a fifth, by digest of the name."""
    return int(hashlib.sha256(concept.encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0
