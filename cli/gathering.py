"""From the sources of ``sightline add`` to the files to add: folders, tables, tars, addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from cli.output import note
from core.errors import PairsError, UsageError
from core.pairs.folders import find_images
from core.pairs.image_file import ImageFile as ImageSource
from core.pairs.pair import Pair
from core.pairs.patterns import matching_files, split_of
from core.pairs.reading import is_pairs_source, read_pairs
from core.types import JSONObject

if TYPE_CHECKING:
    from core.addresses import Network
    from encoders.decoding import DecodeLimits
    from index.gallery import Gallery
    from index.sources import ImageFile

CaptionsFrom = Literal["pairs", "name", "none"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read."""

    captions_from: CaptionsFrom = "pairs"
    image_column: str | None = None
    caption_column: str | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the sources hold."""

    files: list[ImageFile] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Absolute place of each sample that cannot be read, and why."""
    places: list[Path] = field(default_factory=list)
    """The folders and files that were looked through as a whole."""

    def and_also(self, other: Gathered) -> Gathered:
        """Return both together."""
        return Gathered(
            [*self.files, *other.files],
            {**self.skipped, **other.skipped},
            [*self.places, *other.places],
        )


def gather(
    sources: Sequence[Path],
    reading: Reading,
    *,
    outside: Path,
    only: Callable[[Path], bool] | None = None,
    may_be_empty: bool = False,
) -> Gathered:
    """Return every picture of the sources, none of which is decoded yet.

    Args:
        sources: image files, folders, tables, tars and patterns.
        reading: how to.
        outside: folder of the gallery, whose own copies and thumbnails are no sources.
        only: which files are of interest; a picture in a container goes by the container.
        may_be_empty: whether a folder without images is no error.

    Raises:
        PairsError: a source that cannot be read, or holds no images.
    """
    found = Gathered()
    own = [outside.absolute() / name for name in ("images", "thumbnails")]
    for source in sources:
        if not is_pairs_source(source):
            found.files.append(_single_file(source, reading.captions_from))
            continue
        try:
            pairs = read_pairs(
                source, image_column=reading.image_column, caption_column=reading.caption_column
            )
        except PairsError:
            if may_be_empty and _is_bare(source):
                continue
            raise
        for pair in pairs:
            file = _file_behind(pair.image).absolute()
            if not any(map(file.is_relative_to, own)) and (only is None or only(file)):
                found.files.append(_file_of(pair, source, reading.captions_from))
        folder = split_of(source)[0].absolute()
        if only is None:
            found.places.extend(matching_files(folder) or [folder])
        root = folder if folder.is_dir() else folder.parent
        for name, reason in pairs.skipped.items():
            if only is None or only(root / name.partition("!")[0]):
                found.skipped[str(root / name)] = reason
    return found


def gather_urls(
    listed: Path, *, allowed: Sequence[str], limits: DecodeLimits, captions_from: CaptionsFrom
) -> Gathered:
    """Return the pictures of a list of addresses, none of which is fetched yet.

    ``allowed`` are networks that may be asked although they are not public.

    Raises:
        PairsError: the list cannot be read.
        UsageError: a network that is none.
    """
    from core.url_list import read_url_list
    from index.sources import ImageFile, RemoteImage

    found = read_url_list(listed)
    fetch = fetcher(allowed, limits)
    files = []
    for entry in found.urls:
        picture = RemoteImage(entry.url, fetch)
        captions = (entry.caption,) if entry.caption else ()
        files.append(ImageFile(picture, caption=_caption(picture.name, captions, captions_from)))
    folder = listed.absolute().parent
    skipped = {str(folder / name): reason for name, reason in found.skipped.items()}
    return Gathered(files, skipped, [listed.absolute()])


def gather_failed(gallery: Gallery, *, allowed: Sequence[str]) -> Gathered:
    """Return the files that failed, with what was asked for; those in containers are left out.

    Raises:
        UsageError: a network that is none.
        StorageError: the gallery cannot be read.
    """
    from core.web_address import is_url
    from index.failures import recorded_failures
    from index.sources import ImageFile, RemoteImage

    found, left_out = Gathered(), 0
    fetch = fetcher(allowed, gallery.limits)
    for failure in recorded_failures(gallery.collection.store):
        place = failure.stamp.path
        if failure.code == PairsError.code or (not is_url(place) and _is_contained(place)):
            left_out += 1
            continue
        picture = RemoteImage(place, fetch) if is_url(place) else Path(place)
        file = ImageFile(picture, failure.id, failure.caption, failure.metadata)
        found.files.append(file)
    if left_out:
        note(f"{left_out} failures lie in tables and containers: add those with --retry-failed")
    return found


def fetcher(allowed: Sequence[str], limits: DecodeLimits) -> Callable[[str], bytes]:
    """Return what fetches an address, within the limits of pictures.

    Raises:
        UsageError: a network that is none.
    """
    from core.fetching import Fetcher, FetchRules

    networks = tuple(_network(text) for text in allowed)
    return Fetcher(FetchRules(max_bytes=limits.max_bytes, allowed=networks)).fetch


def refuse_missing(sources: Sequence[Path]) -> None:
    """Refuse sources that are not there, before a model is loaded for them.

    Raises:
        PairsError: one does not exist.
    """
    for source in sources:
        path, _ = split_of(source)
        if not path.exists() and not matching_files(path):
            raise PairsError(f"{source} does not exist")


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a network such as 10.0.0.0/8 or 192.168.1.7: {error}"
        ) from error


def _is_contained(place: str) -> bool:
    return "!" in place and not Path(place).exists()


def _is_bare(folder: Path) -> bool:
    shards = (path for suffix in (".tar", ".parquet") for path in folder.rglob(f"*{suffix}"))
    return folder.is_dir() and not find_images(folder) and next(shards, None) is None


def _file_behind(image: ImageSource) -> Path:
    return image if isinstance(image, Path) else image.container


def _single_file(path: Path, captions_from: CaptionsFrom) -> ImageFile:
    from index.sources import ImageFile

    return ImageFile(path, caption=_caption(path.name, (), captions_from))


def _file_of(pair: Pair, source: Path, captions_from: CaptionsFrom) -> ImageFile:
    from index.sources import ImageFile

    return ImageFile(
        path=pair.image,
        id=_own_id(pair, source),
        caption=_caption(pair.image.name, pair.captions, captions_from),
        metadata=_metadata(pair),
    )


def _own_id(pair: Pair, source: Path) -> str | None:
    """Return an id that the source states; a path that stands in for one could clash elsewhere."""
    if not isinstance(pair.image, Path):
        stands_in = pair.id.startswith(f"{pair.image.container.name}!")
    else:
        stands_in = source.is_dir() or source.parent / pair.id == pair.image
    return None if stands_in else pair.id


def _caption(name: str, captions: Sequence[str], captions_from: CaptionsFrom) -> str | None:
    if captions_from == "name":
        stem = PurePath(name).stem
        return " ".join(stem.replace("_", " ").replace("-", " ").split())
    return captions[0] if captions and captions_from == "pairs" else None


def _metadata(pair: Pair) -> JSONObject | None:
    metadata = dict(pair.metadata)
    if pair.label is not None:
        metadata.setdefault("label", pair.label)
    if len(pair.captions) > 1:
        metadata.setdefault("captions", list(pair.captions))
    return metadata or None
