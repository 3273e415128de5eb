"""Several views of one picture, whose embeddings are averaged: centre, corners, mirrored.

The first view is the picture as it is embedded for search. The corners are those of Krizhevsky et
al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 4.1: the model
sees 7/8 of a side (224 of 256 pixels).

# V = views, S = image size in pixels
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from core.errors import UsageError
from core.types import PixelArray
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, ImageDecoder, decode_image
from encoders.preprocessing import Preprocessing, decoding_side, preprocess

Crops = Literal[1, 5, 10]
CROP_COUNTS: tuple[Crops, ...] = (1, 5, 10)

_CORNER_SHARE = 7 / 8


def preprocess_view_bytes(
    data: bytes,
    preprocessing: Preprocessing,
    limits: DecodeLimits = DEFAULT_LIMITS,
    *,
    crops: int,
    decode: ImageDecoder = decode_image,
) -> PixelArray:
    """Decode a picture and return its views: uint8 (V, S, S, 3).

    Raises:
        ImageError: what ``decode_image`` raises.
        UsageError: another number of views than there is.
    """
    image = decode(data, limits, min_side=decoding_side(preprocessing))
    return preprocess_views(image, preprocessing, crops=crops)


def preprocess_views(image: Image.Image, preprocessing: Preprocessing, *, crops: int) -> PixelArray:
    """Return the views of a decoded RGB picture: uint8 (V, S, S, 3).

    1: the picture; 5: and its four corners; 10: and the mirror images of these five.

    Raises:
        UsageError: another number of views.
    """
    check_crops(crops)
    views = [preprocess(image, preprocessing)]
    if crops > 1:
        boxes = corner_boxes(image.size, squares=preprocessing.resize_mode == "shortest")
        views += [preprocess(image.crop(box), preprocessing) for box in boxes]
    views_VSS3 = np.stack(views)
    if crops == CROP_COUNTS[-1]:
        views_VSS3 = np.concatenate([views_VSS3, views_VSS3[:, :, ::-1]])
    return views_VSS3


def check_crops(crops: int) -> None:
    """Refuse a number of views that there is not.

    Raises:
        UsageError: not 1, 5 or 10.
    """
    if crops not in CROP_COUNTS:
        raise UsageError(f"crops = {crops}: expected 1, 5 or 10", param="crops")


def corner_boxes(size: tuple[int, int], *, squares: bool) -> list[tuple[int, int, int, int]]:
    """Return left, top, right and bottom of the four corners of a picture, in pixels.

    Args:
        size: width and height.
        squares: whether a corner is a square of 7/8 of the shorter side, else 7/8 of each side.
    """
    width, height = size
    sides = (min(size), min(size)) if squares else size
    across, down = (max(1, round(side * _CORNER_SHARE)) for side in sides)
    return [
        (left, top, left + across, top + down)
        for top in (0, height - down)
        for left in (0, width - across)
    ]
