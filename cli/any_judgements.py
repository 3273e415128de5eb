"""The judged queries of a gallery, be it a folder on this machine or behind a server."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.any_gallery import Mode, chosen_url
from cli.settings import default_gallery
from core.types import JSONObject

if TYPE_CHECKING:
    from index.collection import Collection
    from sightline.judgement_answers import JudgedQuery
    from sightline.judgement_calls import ExportFormat


@dataclass(frozen=True, slots=True)
class ModelName:
    """The model that a gallery is searched with."""

    encoder_id: str
    name: str | None


class AnyJudgements(Protocol):
    """Judged queries that commands list, write, take over and measure."""

    @property
    def where(self) -> str:
        """Folder or address, for messages and reports."""
        ...

    def list(self) -> Sequence[JudgedQuery]:
        """Return every judged query, the newest first."""
        ...

    def judge(
        self, query: str, grades: Mapping[str, int], *, mode: Mode, filter: JSONObject | None
    ) -> tuple[str, ...]:
        """Mark items of a query and return the ids that the gallery does not have.

        Raises:
            SightlineError: no query, or the gallery cannot be written or reached.
        """
        ...

    def export(self, format: ExportFormat) -> bytes:
        """Return the marks as a file; ``run`` searches.

        Raises:
            SightlineError: the gallery cannot be read or reached.
        """
        ...

    def model(self) -> ModelName:
        """Return what the gallery is searched with."""
        ...


def any_judgements(
    *, gallery: Path | None, url: str | None, model: str | None = None
) -> AnyJudgements:
    """Return the judged queries of the gallery at ``url``, else in the folder.

    Raises:
        UsageError: options that exclude each other, or no address.
    """
    address = chosen_url(gallery=gallery, url=url, model=model)
    if address is None:
        return _FolderJudgements(gallery or default_gallery(), model)
    return _ServedJudgements(address)


class _FolderJudgements:
    def __init__(self, folder: Path, model: str | None) -> None:
        self._folder, self._model = folder, model

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def list(self) -> Sequence[JudgedQuery]:
        """Return every judged query, the newest first."""
        from index.filters import filter_json
        from index.judgements import judged_queries
        from index.store import StoreReader
        from sightline.judgement_answers import JudgedQuery

        with closing(StoreReader(self._folder)) as store:
            found = judged_queries(store)
        judged = []
        for one in found:
            query, chosen = one.query, filter_json(one.query.filter)
            judged.append(
                JudgedQuery(
                    *(query.id, query.text, query.mode),
                    chosen if isinstance(chosen, dict) else None,
                    *(one.right, one.wrong, one.gone),
                )
            )
        return judged

    def judge(
        self, query: str, grades: Mapping[str, int], *, mode: Mode, filter: JSONObject | None
    ) -> tuple[str, ...]:
        """Mark items; no model is needed."""
        from index.judged_queries import judged_query
        from index.judgements import Judge

        change = Judge(judged_query(query, mode=mode, filter=filter), dict(grades))
        with closing(self._open()) as collection:
            return collection.write(change)

    def export(self, format: ExportFormat) -> bytes:
        """Return the marks as a file; only ``run`` loads the model."""
        from index.judged_pairs import write_judged_pairs
        from index.judgement_files import jsonl_text, judged_sets, qrels_text, queries_text
        from index.media import MediaStore
        from index.store import StoreReader

        if format == "run":
            return self._run()
        with closing(StoreReader(self._folder)) as store:
            sets = judged_sets(store)
            if format == "pairs":
                file = io.BytesIO()
                write_judged_pairs(store, MediaStore(self._folder), sets, file)
                return file.getvalue()
        texts = {"qrels": qrels_text, "queries": queries_text, "jsonl": jsonl_text}
        return texts[format](sets).encode()

    def model(self) -> ModelName:
        """Return what the gallery is bound to."""
        from index.binding import binding_of_folder

        bound = binding_of_folder(self._folder)
        return ModelName(bound.encoder_id, None if bound.model is None else Path(bound.model).name)

    def _run(self) -> bytes:
        from cli.opening import open_encoder, open_gallery, require_gallery
        from index.judgement_files import judged_sets, run_text
        from index.judgement_quality import judged_run

        require_gallery(self._folder)
        with (
            closing(open_encoder(self._model, self._folder)) as encoder,
            open_gallery(self._folder, encoder, read_only=True) as opened,
        ):
            sets = judged_sets(opened.collection.store)
            found = judged_run(opened, [one.query for one in sets if one.grades])
        return run_text(found).encode()

    def _open(self) -> Collection:
        from index.binding import binding_of_folder
        from index.collection import Collection

        bound = binding_of_folder(self._folder)
        return Collection.open(self._folder, encoder_id=bound.encoder_id, dim=bound.dim)


class _ServedJudgements:
    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def where(self) -> str:
        """The address."""
        return self._url

    def list(self) -> Sequence[JudgedQuery]:
        """Return every judged query, the newest first."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return [*client.judgements.walk()]

    def judge(
        self, query: str, grades: Mapping[str, int], *, mode: Mode, filter: JSONObject | None
    ) -> tuple[str, ...]:
        """Mark items; where the server has none of them, all are unknown."""
        from cli.served_gallery import open_client
        from core.errors import NotFoundError

        with open_client(self._url) as client:
            try:
                return client.judgements.judge(query, grades, mode=mode, filter=filter)
            except NotFoundError:
                return tuple(grades)

    def export(self, format: ExportFormat) -> bytes:
        """Return the marks as a file that the server writes."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return client.judgements.export(format)

    def model(self) -> ModelName:
        """Return what the server searches with."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return ModelName(client.gallery().encoder_id, client.models()[0].id)
