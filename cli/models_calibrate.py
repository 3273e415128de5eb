"""``sightline models calibrate``: what the scores of a model mean, fitted on held-out pairs."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.evaluation_options import Reading
from cli.output import note, print_json, print_lines, print_table
from core.errors import ArtifactError, EncoderMismatchError
from core.types import JSONObject

if TYPE_CHECKING:
    from encoders.confidence import QueryKind
    from encoders.folder import ModelFolder
    from evaluation.confidence_calibration import CalibrationFit
    from evaluation.embeddings import Embeddings


@click.command("calibrate")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    required=True,
    type=click.Path(path_type=Path),
    help="Pairs that the model was not trained on, or their embeddings (.npz).",
)
@click.option(
    "--background",
    type=click.Path(path_type=Path),
    help='Images that stand for "anything".  [default: a part of the pairs]',
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New model folder.")
@click.option(
    "--queries",
    type=click.Choice(["both", "text", "image"]),
    default="both",
    show_default=True,
    help="Kinds of queries whose hits get a confidence.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    model: Path,
    pairs: Path,
    background: Path | None,
    out: Path,
    queries: str,
    as_json: bool,
) -> None:
    """Write a copy of the model folder MODEL whose searches tell how likely a hit is relevant.

    The copy has the same encoder id: galleries of MODEL go on to work with it. Pairs without labels
    calibrate image queries by equal captions; pictures that share words are not judged.

    \b
    Examples:
      sightline models calibrate models/mine --pairs heldout.jsonl --out models/mine-calibrated
      sightline models calibrate models/mine --pairs heldout.npz --queries text --out models/mine-2
      sightline models calibrate models/mine --pairs p.jsonl --background photos --out models/b
    """
    from encoders.calibration_files import write_calibrated
    from encoders.folder import open_model_folder
    from evaluation.confidence_calibration import calibrate

    if out.exists():
        raise ArtifactError(f"{out} exists already; model folders are immutable, choose a new name")
    folder = open_model_folder(model)
    kinds: tuple[QueryKind, ...] = ("text", "image")
    fit = calibrate(
        _embeddings(folder, pairs),
        background=None if background is None else _embeddings(folder, background),
        kinds=tuple(kind for kind in kinds if queries in {kind, "both"}),
    )
    written = write_calibrated(folder, out, fit.calibration)
    _present(written, fit, as_json=as_json)


def _embeddings(folder: ModelFolder, data: Path) -> Embeddings:
    """Return the embeddings of data, each label as one more caption where they are made now.

    Raises:
        EncoderMismatchError: they were made by another model.
    """
    from cli.evaluation_data import is_embeddings, open_pairs
    from cli.progress import terminal_progress
    from encoders.loading import load_encoder
    from evaluation.embeddings import embed_pairs
    from evaluation.embeddings_file import read_embeddings

    if is_embeddings(data):
        embeddings = read_embeddings(data)
        if embeddings.provenance.encoder_id != folder.encoder_id:
            raise EncoderMismatchError(
                f"{data} was embedded by {embeddings.provenance.encoder_id}, {folder.path} is "
                f"{folder.encoder_id}; embed the pairs with this model"
            )
        return embeddings
    found = open_pairs(data, Reading(None, None, None, None, None, None))
    labelled = [
        # A label is what people type: one word.
        dataclasses.replace(pair, captions=(*pair.captions, pair.label))
        if pair.label is not None and pair.label not in pair.captions
        else pair
        for pair in found
    ]
    with closing(load_encoder(folder.path)) as encoder:
        embeddings = embed_pairs(encoder, labelled, progress=terminal_progress)
    if embeddings.images.failed:
        note(f"skipped {len(embeddings.images.failed)} images that cannot be read")
    return embeddings


def _present(folder: ModelFolder, fit: CalibrationFit, *, as_json: bool) -> None:
    for kind, reason in fit.left_out.items():
        note(f"{kind} queries have no confidence: {reason}")
    if as_json:
        about: JSONObject = {**fit.calibration.about}
        print_json({"path": str(folder.path), "encoder_id": folder.encoder_id, **about})
        return
    rows = [
        [
            kind,
            str(found.queries),
            str(found.hits),
            f"{found.relevant / found.hits:.3f}",
            f"{found.expected_error:.3f}",
        ]
        for kind, found in fit.fits.items()
    ]
    print_table(["queries of", "queries", "hits", "relevant", "calibration error"], rows)
    print_lines([f"{folder.path}: encoder id {folder.encoder_id}, calibrated"])
