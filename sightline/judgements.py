"""Judged queries, as ``client.judgements``: hits marked right or wrong, and what that says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from core.types import JSONObject
from sightline.judgement_answers import JudgedQuery, JudgedQueryPage, SearchQuality
from sightline.judgement_calls import (
    ExportFormat,
    export_call,
    forget_call,
    judge_call,
    list_judged_call,
    marks_call,
    quality_call,
)
from sightline.search_calls import Mode
from sightline.transport import AsyncTransport, Transport

PAGE = 200
"""Queries of one page of a walk."""


class Judgements:
    """Judged queries, through a client that waits."""

    def __init__(self, transport: Transport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    def judge(
        self,
        query: str,
        grades: Mapping[str, int | None],
        *,
        mode: Mode = "vector",
        filter: JSONObject | None = None,
    ) -> tuple[str, ...]:
        """Mark hits of a query 1 (right) or 0 (wrong); ``None`` takes a mark back.

        Returns the ids that the gallery does not have.

        Raises:
            NotFoundError: it has none of them.
        """
        return self._transport.send(judge_call(query, grades, mode=mode, filter=filter))

    def marks(
        self, query: str, *, mode: Mode = "vector", filter: JSONObject | None = None
    ) -> dict[str, int]:
        """Return the grades of a query by item id, without those of pictures that are gone."""
        return self._transport.send(marks_call(query, mode=mode, filter=filter))

    def forget(self, query: str, *, mode: Mode = "vector", filter: JSONObject | None = None) -> int:
        """Take back all marks of a query and return how many there were."""
        return self._transport.send(forget_call(query, mode=mode, filter=filter))

    def page(self, *, cursor: str | None = None, limit: int = PAGE) -> JudgedQueryPage:
        """Return one page of judged queries, the newest first."""
        return self._transport.send(list_judged_call(cursor=cursor, limit=limit))

    def walk(self, *, page: int = PAGE) -> Iterator[JudgedQuery]:
        """Yield every judged query, the newest first."""
        cursor: str | None = None
        while True:
            found = self.page(cursor=cursor, limit=page)
            yield from found.queries
            cursor = found.cursor
            if cursor is None:
                return

    def quality(self, *, k: int = 10) -> SearchQuality:
        """Return what the judged queries say of the search as it is now."""
        return self._transport.send(quality_call(k=k))

    def export(self, format: ExportFormat) -> bytes:
        """Return the marks as a file: TREC qrels, queries, a run, lines of JSON, or pairs (tar)."""
        return self._transport.send(export_call(format))


class AsyncJudgements:
    """Judged queries, through a client that is awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send through ``transport``."""
        self._transport = transport

    async def judge(
        self,
        query: str,
        grades: Mapping[str, int | None],
        *,
        mode: Mode = "vector",
        filter: JSONObject | None = None,
    ) -> tuple[str, ...]:
        """Mark hits of a query; see :meth:`Judgements.judge`."""
        return await self._transport.send(judge_call(query, grades, mode=mode, filter=filter))

    async def marks(
        self, query: str, *, mode: Mode = "vector", filter: JSONObject | None = None
    ) -> dict[str, int]:
        """Return the grades of a query by item id; see :meth:`Judgements.marks`."""
        return await self._transport.send(marks_call(query, mode=mode, filter=filter))

    async def forget(
        self, query: str, *, mode: Mode = "vector", filter: JSONObject | None = None
    ) -> int:
        """Take back all marks of a query and return how many there were."""
        return await self._transport.send(forget_call(query, mode=mode, filter=filter))

    async def page(self, *, cursor: str | None = None, limit: int = PAGE) -> JudgedQueryPage:
        """Return one page of judged queries, the newest first."""
        return await self._transport.send(list_judged_call(cursor=cursor, limit=limit))

    async def walk(self, *, page: int = PAGE) -> AsyncIterator[JudgedQuery]:
        """Yield every judged query, the newest first."""
        cursor: str | None = None
        while True:
            found = await self.page(cursor=cursor, limit=page)
            for query in found.queries:
                yield query
            cursor = found.cursor
            if cursor is None:
                return

    async def quality(self, *, k: int = 10) -> SearchQuality:
        """Return what the judged queries say of the search as it is now."""
        return await self._transport.send(quality_call(k=k))

    async def export(self, format: ExportFormat) -> bytes:
        """Return the marks as a file; see :meth:`Judgements.export`."""
        return await self._transport.send(export_call(format))
