"""``sightline doctor``: is a gallery whole, in step and findable, and what mends it."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_lines, size_text
from cli.settings import default_gallery

if TYPE_CHECKING:
    from core.types import JSONObject
    from encoders.encoder import Encoder
    from index.checkup import Checkup, Fault

_SHOWN_NAMES = 3


@click.command(name="doctor")
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)
@click.option("--model", help="Model folder or open_clip source.  [default: the gallery's]")
@click.option("--fix", is_flag=True, help="Mend what can be mended; nothing else may write.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, gallery: Path | None, model: str | None, fix: bool, as_json: bool) -> int:
    """Examine a gallery: coverage, damaged vectors, files, index, disk.

    It works while a server runs on the same gallery; --fix needs the gallery alone. Exit code 0:
    healthy, 1: problems are left.

    \b
    Examples:
      sightline doctor
      sightline doctor --gallery pets --fix
      sightline doctor --json
    """
    from cli.opening import open_encoder, require_gallery

    folder = gallery or default_gallery()
    require_gallery(folder)
    # Each damaged vector would be told of again, line by line.
    logging.getLogger("index.live").setLevel(logging.CRITICAL)
    mended: tuple[Fault, ...] = ()
    with closing(open_encoder(model, folder)) as encoder:
        found = _examine(folder, encoder)
        if fix and found.faults:
            before, found = found, _mend(folder, encoder, found)
            left = {(fault.kind, fault.names) for fault in found.faults}
            mended = tuple(f for f in before.faults if (f.kind, f.names) not in left)
    if as_json:
        print_json(_as_object(folder, found, mended))
    else:
        _show(folder, found, mended)
    return 1 if found.faults else 0


def _examine(folder: Path, encoder: Encoder) -> Checkup:
    from index.binding import binding_of_folder
    from index.collection import Collection
    from index.doctor import examine

    bound = binding_of_folder(folder)
    with closing(
        Collection.open(folder, encoder_id=bound.encoder_id, dim=bound.dim, read_only=True)
    ) as collection:
        return examine(collection, encoder=encoder)


def _mend(folder: Path, encoder: Encoder, found: Checkup) -> Checkup:
    from index.mending import mend

    mend(folder, encoder, found)
    return _examine(folder, encoder)


def _show(folder: Path, found: Checkup, mended: tuple[Fault, ...]) -> None:
    coverage = found.coverage
    lines = [f"{folder}: {found.items} items, {coverage.embedded} findable"]
    failed = ", ".join(f"{count} {code}" for code, count in coverage.failed.items())
    lines.append(f"seen {coverage.seen}, failed {sum(coverage.failed.values())}" + _of(failed))
    for check in found.checks:
        lines.append(f"{'!!' if check.faults else 'ok'}  {check.name:<10} {check.summary}")
        lines += [f"      {_line(fault)}: {fault.remedy}" for fault in check.faults]
    lines += [f"mended: {_line(fault)}" for fault in mended]
    disk = found.disk
    lines.append(
        f"disk {size_text(disk.total)}: database {size_text(disk.database)} "
        f"(unused {size_text(disk.unused)}), log {size_text(disk.log)}, "
        f"snapshots {size_text(disk.snapshots)}, images {size_text(disk.images)}, "
        f"thumbnails {size_text(disk.thumbnails)}"
    )
    print_lines(lines)
    note("healthy" if not found.faults else f"{len(found.faults)} problems left")


def _line(fault: Fault) -> str:
    shown = ", ".join(fault.names[:_SHOWN_NAMES])
    more = len(fault.names) - _SHOWN_NAMES
    return f"{fault.text}: {shown}" + (f" and {more} more" if more > 0 else "")


def _of(text: str) -> str:
    return f": {text}" if text else ""


def _as_object(folder: Path, found: Checkup, mended: tuple[Fault, ...]) -> JSONObject:
    disk = found.disk
    return {
        "gallery": str(folder),
        "healthy": not found.faults,
        "items": found.items,
        "coverage": {
            "seen": found.coverage.seen,
            "embedded": found.coverage.embedded,
            "failed": dict(found.coverage.failed),
        },
        "checks": [
            {
                "name": check.name,
                "ok": not check.faults,
                "summary": check.summary,
                "faults": [_fault_object(fault) for fault in check.faults],
            }
            for check in found.checks
        ],
        "mended": [_fault_object(fault) for fault in mended],
        "disk": {
            "database": disk.database,
            "log": disk.log,
            "unused": disk.unused,
            "snapshots": disk.snapshots,
            "images": disk.images,
            "thumbnails": disk.thumbnails,
            "total": disk.total,
        },
    }


def _fault_object(fault: Fault) -> JSONObject:
    return {
        "kind": fault.kind,
        "text": fault.text,
        "names": list(fault.names),
        "remedy": fault.remedy,
    }
