"""Evaluation of ranked retrieval: captions and images ask for each other, or for their own kind.

The headline is the macro mean over queries; a query without a relevant item in the gallery (its
image could not be decoded, or it has no caption) is left out and counted.

# N = queries, M = gallery items
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from core.errors import PairsError, UsageError
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from evaluation.data_facts import data_facts, image_digests
from evaluation.embeddings import Embeddings
from evaluation.exact_search import exact_ranks
from evaluation.provenance import data_digest, machine
from evaluation.report import Report
from evaluation.retrieval_options import RetrievalOptions
from evaluation.retrieval_report import retrieval_report
from evaluation.retrieval_task import RetrievalTask, Side, lay_out
from evaluation.searching import Ranking, Search, ask


def evaluate_retrieval(
    embeddings: Embeddings,
    options: RetrievalOptions | None = None,
    *,
    gallery: Side | None = None,
    search: Search | None = None,
    progress: ProgressFactory = silent,
) -> Report:
    """Score every query against the whole gallery, exactly; no model is needed.

    Args:
        embeddings: of the queries, and of the gallery unless another one is given.
        options: what to measure.
        gallery: what is searched instead, for example all images of an indexed gallery.
        search: an approximate search of the same gallery, scored beside the exact one.
        progress: shows how far it is.

    Raises:
        UsageError: a relevance that the direction does not have.
        PairsError: no query has anything relevant in the gallery.
    """
    options = options or RetrievalOptions()
    sides = dict(zip(("text", "image"), sides_of(embeddings), strict=True))
    asks, _, wanted = options.direction.split("_")
    task = _laid_out(options, sides[asks], gallery or sides[wanted])
    exact = rank_exactly(task, depth=depth_of(task, options), progress=progress)
    found = (
        None
        if search is None
        else ask(task, search, depth=depth_of(task, options), progress=progress)
    )
    facts = data_facts(
        embeddings.pairs, failed=embeddings.images.failed, skipped=embeddings.skipped
    )
    return retrieval_report(
        task,
        exact,
        served=found,
        searched="" if search is None else search.name,
        options=options,
        facts=facts,
        provenance=embeddings.provenance,
    )


def evaluate_served(
    pairs: Sequence[Pair],
    search: Search,
    options: RetrievalOptions | None = None,
    *,
    skipped: Mapping[str, str] | None = None,
    encoder_id: str | None = None,
    progress: ProgressFactory = silent,
) -> Report:
    """Score a search that embeds by itself, for example the running service, as it stands.

    The gallery is what the search knows of the pairs; more that it holds may only distract it.

    Raises:
        UsageError: a direction that asks for captions, which nobody serves.
        PairsError: no query has anything relevant in the gallery.
    """
    options = options or RetrievalOptions()
    if not options.direction.endswith("image"):
        raise UsageError(
            f"direction = {options.direction}: a gallery answers with images; use text_to_image or "
            "image_to_image",
            param="direction",
        )
    captions, images = sides_of_pairs(pairs)
    known = search.known(images.ids)
    gallery = images.chosen([place for place, name in enumerate(images.ids) if name in known])
    task = _laid_out(options, captions if options.direction == "text_to_image" else images, gallery)
    found = ask(task, search, depth=depth_of(task, options), progress=progress)
    digests = image_digests([pair.image for pair in pairs], progress=progress)
    return retrieval_report(
        task,
        None,
        served=found,
        searched=search.name,
        options=options,
        facts=data_facts(pairs, skipped=skipped),
        provenance=dataclasses.replace(
            machine(), encoder_id=encoder_id, data_digest=data_digest(pairs, digests)
        ),
    )


def rank_exactly(task: RetrievalTask, *, depth: int, progress: ProgressFactory = silent) -> Ranking:
    """Return where the relevant items come when every query meets the whole gallery."""
    assert task.queries.vectors_ND is not None
    assert task.gallery_MD is not None
    judged = task.judged
    found = exact_ranks(
        task.queries.vectors_ND[judged],
        task.gallery_MD,
        task.gallery_ids,
        [task.relevant_N[place] for place in judged],
        grades_N=[task.grades_N[place] for place in judged],
        excluded_N=[task.excluded(place) for place in judged],
        top=depth + 1,
        progress=progress,
    )
    kept = np.isfinite(found.top_scores_NK[:, :depth])
    return Ranking(
        judged=found.judged,
        top_ids=tuple(
            tuple(task.gallery_ids[column] for column in row_K[keep_K].tolist())
            for row_K, keep_K in zip(found.top_NK[:, :depth], kept, strict=True)
        ),
        top_scores=tuple(
            tuple(row_K[keep_K].tolist())
            for row_K, keep_K in zip(found.top_scores_NK[:, :depth], kept, strict=True)
        ),
        tied={
            k: found.tied_at_k(k) for k in range(1, min(depth + 1, found.top_scores_NK.shape[1]))
        },
    )


def sides_of(embeddings: Embeddings) -> tuple[Side, Side]:
    """Return captions and images with their vectors; images that failed are no side."""
    captions, images = sides_of_pairs(embeddings.pairs)
    return (
        dataclasses.replace(captions, vectors_ND=embeddings.captions_CD),
        dataclasses.replace(
            images.chosen(embeddings.images.places_G),
            vectors_ND=embeddings.images.embeddings_GD,
        ),
    )


def sides_of_pairs(pairs: Sequence[Pair]) -> tuple[Side, Side]:
    """Return captions and images without vectors."""
    captions = [
        (f"{pair.id}#{number}", text, pair)
        for pair in pairs
        for number, text in enumerate(pair.captions)
    ]
    ids, texts, owners = zip(*captions, strict=True) if captions else ((), (), ())
    return (
        Side(ids, texts, owners, None),
        Side(tuple(pair.id for pair in pairs), ("",) * len(pairs), tuple(pairs), None),
    )


def depth_of(task: RetrievalTask, options: RetrievalOptions) -> int:
    """Return how long the lists are: as asked, never less than the largest cut-off."""
    return min(max(*options.ks, options.depth or 0), task.candidates)


def _laid_out(options: RetrievalOptions, queries: Side, gallery: Side) -> RetrievalTask:
    if not len(queries):
        raise PairsError(
            "no pair has a caption, so there is nothing to search with; for folders of classes "
            "use: sightline evaluate classify"
        )
    task = lay_out(
        options.direction,
        queries,
        gallery,
        relevance=options.relevance,
        exclude_self=options.exclude_self,
    )
    if not task.judged:
        raise PairsError(
            "no query has anything relevant in the gallery: no image that belongs to a query could "
            "be decoded or is in the gallery; look at the failed images and at the ids"
        )
    return task
