"""What each built-in template set is for, in a few words for people who choose one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TEMPLATE_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "name": "the label alone",
        "single": "one plain sentence",
        "imagenet7": "OpenAI's seven for things in photos; the default",
        "imagenet80": "OpenAI's eighty for things in photos; eleven times the work",
        "birdsnap": "kinds of birds",
        "caltech101": "things in photos, drawings and toys",
        "cifar10": "things in small or blurred photos",
        "cifar100": "things in small or blurred photos",
        "clevrcounts": "numbers of objects",
        "country211": "countries where a photo was taken",
        "describabletextures": "textures and patterns",
        "eurosat": "land seen from a satellite",
        "facialemotionrecognition2013": "emotions of faces",
        "fgvcaircraft": "kinds of aircraft",
        "flowers102": "kinds of flowers",
        "food101": "food",
        "gtsrb": "traffic signs",
        "hatefulmemes": "kinds of memes",
        "kinetics700": "actions of people",
        "kitti": "whole sentences as labels",
        "mnist": "written digits",
        "oxfordpets": "breeds of pets",
        "pascalvoc2007": "things in photos",
        "patchcamelyon": "what a medical picture shows",
        "resisc45": "land seen from an aircraft",
        "sst2": "moods of rendered texts",
        "stanfordcars": "models of cars",
        "stl10": "things in photos",
        "sun397": "places and scenes",
        "ucf101": "actions of a person",
    }
)
"""By the name of the set; the data sets are those of the CLIP paper, table 9."""
