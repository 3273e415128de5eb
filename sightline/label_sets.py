"""Label sets, as ``client.label_sets``: save, get, list."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.label_answers import LabelSet
from sightline.label_calls import label_set_call, label_sets_call, save_label_set_call
from sightline.transport import AsyncTransport, Transport


class LabelSets:
    """Label sets, through a client that waits."""

    def __init__(self, transport: Transport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    def save(
        self,
        name: str,
        labels: Sequence[str],
        *,
        templates: Sequence[str] | None = None,
        template_set: str | None = None,
    ) -> LabelSet:
        """Save labels and prompts under a name; the same name again makes the next version."""
        call = save_label_set_call(name, labels, templates=templates, template_set=template_set)
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


class AsyncLabelSets:
    """Label sets, through a client that is awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    async def save(
        self,
        name: str,
        labels: Sequence[str],
        *,
        templates: Sequence[str] | None = None,
        template_set: str | None = None,
    ) -> LabelSet:
        """Save labels and prompts under a name; see :meth:`LabelSets.save`."""
        call = save_label_set_call(name, labels, templates=templates, template_set=template_set)
        return await self._transport.send(call)

    async def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``; see :meth:`LabelSets.get`."""
        return await self._transport.send(label_set_call(name))

    async def list(self) -> tuple[LabelSet, ...]:
        """Return the newest version of every label set."""
        return await self._transport.send(label_sets_call())
