"""Label sets, as ``client.label_sets``: save, get, list, learn, calibrate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, TypeAlias

from core.types import JSONObject
from sightline.images import ImageLike
from sightline.label_answers import Fitted, LabelSet
from sightline.label_calls import (
    calibrate_call,
    examples_call,
    label_set_call,
    label_sets_call,
    save_label_set_call,
)
from sightline.transport import AsyncTransport, Transport

Head: TypeAlias = Literal["best", "text", "class_means", "tip_adapter", "logistic"]
"""What is learnt; ``best``: the most accurate on examples held out in turn."""


class LabelSets:
    """Label sets, through a client that waits."""

    def __init__(self, transport: Transport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    def save(
        self,
        name: str,
        labels: Sequence[str | JSONObject],
        *,
        templates: Sequence[str] | None = None,
        template_set: str | None = None,
        concept: str | None = None,
        language: str | None = None,
    ) -> LabelSet:
        """Save labels and prompts under a name; the same name again makes the next version.

        Args:
            name: of the label set.
            labels: texts, or objects with ``text``, ``aliases``, ``prompts`` and ``background``.
            templates: prompts with exactly one ``{}`` each.
            template_set: name of prompts instead.
            concept: what the labels are: ``a photo of a land use: a {}.``
            language: a note to readers.
        """
        call = save_label_set_call(
            name,
            labels,
            templates=templates,
            template_set=template_set,
            concept=concept,
            language=language,
        )
        return self._transport.send(call)

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` (its newest version) or ``name@version``.

        Raises:
            NotFoundError: there is none.
        """
        return self._transport.send(label_set_call(name))

    def list(self) -> tuple[LabelSet, ...]:
        """Return the newest version of every label set."""
        return self._transport.send(label_sets_call())

    def examples(
        self,
        name: str,
        images: Sequence[ImageLike],
        labels: Sequence[str],
        *,
        head: Head = "best",
        replace: bool = False,
    ) -> Fitted:
        """Learn from images with one label each; what was sent before counts too.

        Raises:
            SightlineError: no such label set, or nothing can be learnt from the images.
        """
        call = examples_call(name, images, labels, head=head, replace=replace)
        return self._transport.send(call)

    def calibrate(
        self,
        name: str,
        images: Sequence[ImageLike],
        labels: Sequence[str | Sequence[str] | None],
        *,
        mode: Literal["single", "multi"] = "single",
        keep: float = 0.95,
        target_precision: float | None = None,
        conformal: Literal["lac", "aps"] = "lac",
        per_label: bool = False,
        replace: bool = False,
    ) -> Fitted:
        """Fit temperature, thresholds and prediction sets; other images than the examples.

        Args:
            name: of the label set.
            images: whose labels are known.
            labels: one for each image; several in mode ``multi``, ``None`` for none of them.
            mode: how the label set will be asked.
            keep: share of the images with a label that shall still get one.
            target_precision: asks for a least score of each label.
            conformal: score of the prediction sets.
            per_label: prediction sets with a threshold for each label.
            replace: forget the images sent before.

        Raises:
            SightlineError: no such label set, or nothing can be fitted on the images.
        """
        call = calibrate_call(
            name,
            images,
            labels,
            mode=mode,
            keep=keep,
            target_precision=target_precision,
            conformal=conformal,
            per_label=per_label,
            replace=replace,
        )
        return self._transport.send(call)


class AsyncLabelSets:
    """Label sets, through a client that is awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    async def save(
        self,
        name: str,
        labels: Sequence[str | JSONObject],
        *,
        templates: Sequence[str] | None = None,
        template_set: str | None = None,
        concept: str | None = None,
        language: str | None = None,
    ) -> LabelSet:
        """Save labels and prompts under a name; see :meth:`LabelSets.save`."""
        call = save_label_set_call(
            name,
            labels,
            templates=templates,
            template_set=template_set,
            concept=concept,
            language=language,
        )
        return await self._transport.send(call)

    async def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``; see :meth:`LabelSets.get`."""
        return await self._transport.send(label_set_call(name))

    async def list(self) -> tuple[LabelSet, ...]:
        """Return the newest version of every label set."""
        return await self._transport.send(label_sets_call())

    async def examples(
        self,
        name: str,
        images: Sequence[ImageLike],
        labels: Sequence[str],
        *,
        head: Head = "best",
        replace: bool = False,
    ) -> Fitted:
        """Learn from images with one label each; what was sent before counts too.

        Raises:
            SightlineError: no such label set, or nothing can be learnt from the images.
        """
        call = await asyncio.to_thread(
            examples_call, name, images, labels, head=head, replace=replace
        )
        return await self._transport.send(call)

    async def calibrate(
        self,
        name: str,
        images: Sequence[ImageLike],
        labels: Sequence[str | Sequence[str] | None],
        *,
        mode: Literal["single", "multi"] = "single",
        keep: float = 0.95,
        target_precision: float | None = None,
        conformal: Literal["lac", "aps"] = "lac",
        per_label: bool = False,
        replace: bool = False,
    ) -> Fitted:
        """Fit temperature, thresholds and prediction sets; other images than the examples.

        Args:
            name: of the label set.
            images: whose labels are known.
            labels: one for each image; several in mode ``multi``, ``None`` for none of them.
            mode: how the label set will be asked.
            keep: share of the images with a label that shall still get one.
            target_precision: asks for a least score of each label.
            conformal: score of the prediction sets.
            per_label: prediction sets with a threshold for each label.
            replace: forget the images sent before.

        Raises:
            SightlineError: no such label set, or nothing can be fitted on the images.
        """
        call = await asyncio.to_thread(
            calibrate_call,
            name,
            images,
            labels,
            mode=mode,
            keep=keep,
            target_precision=target_precision,
            conformal=conformal,
            per_label=per_label,
            replace=replace,
        )
        return await self._transport.send(call)
