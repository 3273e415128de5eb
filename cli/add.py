"""``sightline add``: images into a gallery."""

from __future__ import annotations

from pathlib import Path

import click

from cli.adding import AddRequest
from cli.any_gallery import Added, AnyGallery, any_gallery, chosen_url, url_option
from cli.gathering import CaptionsFrom, Reading, refuse_missing
from cli.output import note, print_json, print_lines
from cli.settings import default_gallery
from core.errors import UsageError
from core.types import JSONObject

_FETCHING_THREADS = 16


@click.command(name="add")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="Folder of the gallery, made if it does not exist.  [default: gallery]",
)
@click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
@url_option
@click.option("--copy", is_flag=True, help="Keep a copy of every image in the gallery.")
@click.option(
    "--caption-from",
    "captions_from",
    type=click.Choice(["pairs", "name", "none"]),
    default="pairs",
    show_default=True,
    help="pairs: the table's column, or a .txt beside the image; name: the file's name.",
)
@click.option("--image-column", help="Column of a table that holds the path of the image.")
@click.option("--caption-column", help="Column of a table that holds the caption.")
@click.option(
    "--watch", is_flag=True, help="Then follow what changes in the folders, until Ctrl-C."
)
@click.option(
    "--urls",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File of web addresses to fetch: one a line, or a table with a column url.",
)
@click.option(
    "--allow-network",
    "allowed",
    multiple=True,
    metavar="NETWORK",
    help="Private network that may be fetched from, for example 10.0.0.0/8; repeatable.",
)
@click.option("--failed", is_flag=True, help="List the files that failed, and add nothing.")
@click.option("--retry-failed", is_flag=True, help="Read files again that failed before.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    help="For reading and decoding.  [default: 2, with --urls 16]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    paths: tuple[Path, ...],
    gallery: Path | None,
    model: str | None,
    url: str | None,
    copy: bool,
    captions_from: CaptionsFrom,
    image_column: str | None,
    caption_column: str | None,
    watch: bool,
    urls: Path | None,
    allowed: tuple[str, ...],
    failed: bool,
    retry_failed: bool,
    threads: int | None,
    as_json: bool,
) -> int:
    """Add image files, folders (with their sub-folders) and tables of pairs to a gallery.

    A table is a .csv, .tsv, .jsonl, .json or .parquet file that names images and captions. Images
    stay where they are, unless --copy is given, and ones that did not change are skipped; pictures
    inside .tar or .parquet files and Hugging Face data sets are copied, and so are those behind
    web addresses. With --url the pictures are read here and sent to a server, which keeps copies of
    them. A file that cannot be read is named and recorded, and the others are added; the
    exit code is 1 only if none could be.

    \b
    Examples:
      sightline add ~/Pictures
      sightline add ~/Pictures --watch
      sightline add cat.jpg dog.png --gallery pets
      sightline add pairs.csv --caption-column title
      sightline add --urls addresses.txt
      sightline add ~/Pictures --url http://photos.example:8000
      sightline add --retry-failed
    """
    if failed:
        if chosen_url(gallery=gallery, url=url, model=model) is not None:
            raise UsageError("--failed needs the gallery's folder; run it there, without --url")
        return _list_failed(gallery or default_gallery(), as_json=as_json)
    request = AddRequest(
        paths=paths,
        urls=urls,
        allowed=allowed,
        reading=Reading(captions_from, image_column, caption_column),
        copy=copy,
        threads=threads or (2 if urls is None else _FETCHING_THREADS),
        retry_failed=retry_failed,
        watch=watch,
    )
    _check(request)
    if watch and as_json:
        raise UsageError("--watch goes on and on, so it prints no JSON; leave one of the two out")
    return _add(request, any_gallery(gallery=gallery, url=url, model=model), as_json=as_json)


def _check(request: AddRequest) -> None:
    if not (request.paths or request.urls or request.retry_failed):
        raise UsageError("name something to add: a folder, files, a table, or --urls FILE")
    refuse_missing(request.paths)
    others = [path for path in request.paths if not path.is_dir()]
    if request.watch and (others or not request.paths):
        raise UsageError(
            f"--watch follows folders; {others[0] if others else 'nothing'} is none: name the "
            "folder that it lies in"
        )


def _add(request: AddRequest, gallery: AnyGallery, *, as_json: bool) -> int:
    stored = 0

    def report(added: Added) -> None:
        nonlocal stored
        stored = added.summary.stored
        if as_json:
            print_json(_as_json(added, where=gallery.where))
        else:
            print_lines([f"{added.summary.line()}; {gallery.where} holds {added.count} images"])

    gallery.add(request, report=report)
    if not stored and not request.watch:
        note("nothing was added")
        return 1
    return 0


def _list_failed(folder: Path, *, as_json: bool) -> int:
    from index.failures import failures_of

    failures = failures_of(folder)
    if as_json:
        listed: list[JSONObject] = [
            {
                "path": failure.stamp.path,
                "code": failure.code,
                "message": failure.message,
                "failed_ms": failure.failed_ms,
            }
            for failure in failures
        ]
        print_json({"gallery": str(folder), "failed": [*listed]})
    else:
        print_lines(f"{failure.stamp.path}: {failure.message}" for failure in failures)
        note(f"{len(failures)} failed; try them again: sightline add --retry-failed")
    return 0


def _as_json(added: Added, *, where: str) -> JSONObject:
    summary = added.summary
    return {
        "gallery": where,
        "model": added.model,
        "created": summary.counts["created"],
        "updated": summary.counts["updated"],
        "unchanged": summary.counts["unchanged"],
        "failed": summary.counts["error"],
        "errors": list(summary.errors),
        "bound_by": summary.bound_by,
        "count": added.count,
    }
