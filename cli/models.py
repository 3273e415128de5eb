"""``sightline models``: list, show, verify and export; the other commands have their own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from cli.merge import command as merge
from cli.models_calibrate import command as calibrate
from cli.models_tune import command as tune
from cli.output import note, print_json, print_lines, print_table
from core.errors import ArtifactError, NotFoundError
from core.types import JSONObject, JSONValue

if TYPE_CHECKING:
    from encoders.folder import ModelFolder
    from encoders.parity import ParityReport
    from encoders.torch_counting import ModelCount


@click.group()
def command() -> None:
    """List, show, verify, export, merge, calibrate and tune models.

    \b
    Examples:
      sightline models list
      sightline models show models/vit-b-32 --depth 2
      sightline models verify models/vit-b-32
      sightline models export ViT-B-32/laion2b_s34b_b79k --out models/vit-b-32
    """


command.add_command(merge)
command.add_command(calibrate)
command.add_command(tune)


@command.command("list")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("models"), show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(folder: Path, *, as_json: bool) -> None:
    """List the model folders inside FOLDER and the starter model.

    Nothing is verified: use ``verify`` for that.

    \b
    Examples:
      sightline models list
      sightline models list --folder /srv/models --json
    """
    from encoders.folder import is_model_folder
    from encoders.loading import STARTER_MODEL

    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    paths = [path for path in (STARTER_MODEL, *inside) if is_model_folder(path)]
    rows = []
    for path in paths:
        try:
            rows.append(_row(path))
        except ArtifactError as error:
            note(f"skipped: {error}")
    if as_json:
        print_json(cast("JSONValue", rows))
    elif rows:
        header = ("name", "encoder id", "dim", "pixels", "path")
        keys = ("name", "encoder_id", "dim", "image_size", "path")
        print_table(header, [[str(row[key]) for key in keys] for row in rows])
    else:
        note(f"no model folders in {folder}")


@command.command("show")
@click.argument("model")
@click.option(
    "--depth",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Levels of layers inside each tower.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(model: str, *, depth: int, as_json: bool) -> None:
    """Show what MODEL is, and count the parameters and multiply-adds of its layers.

    MODEL is a model folder, a recipe (.toml), or an open_clip source: NAME, NAME/TAG,
    NAME:/path/weights, local-dir:/path or hf-hub:org/name. Weights are not downloaded.
    Multiply-adds are those of one picture, and of one text of the whole context. Layers are counted
    with torch; without it the counts of a model folder are left out.

    \b
    Examples:
      sightline models show models/vit-b-32
      sightline models show configs/from-scratch-small.toml --depth 3
      sightline models show ViT-B-32 --depth 0 --json
    """
    from encoders.folder import is_model_folder, open_model_folder

    path = Path(model).expanduser()
    folder = open_model_folder(path) if is_model_folder(path) else None
    if folder is None and path.is_dir() and not (path / "open_clip_config.json").is_file():
        raise NotFoundError(
            f"{path} is no model folder: it has no model.json; give the folder that "
            "sightline models export wrote"
        )
    count = _count(model, folder, depth=depth)
    description = {} if folder is None else _description(folder)
    if as_json:
        print_json({**description, "counts": None if count is None else count.to_json()})
        return
    print_lines(f"{key}: {_text(value)}" for key, value in description.items())
    if count is not None:
        _print_count(count)


@command.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(path: Path, *, as_json: bool) -> None:
    """Check every file of the model folder PATH against its digest, and the encoder id.

    \b
    Examples:
      sightline models verify models/vit-b-32
    """
    from encoders.folder import open_model_folder

    folder = open_model_folder(path)
    if as_json:
        files = sorted(folder.manifest.files)
        print_json({"path": str(path), "encoder_id": folder.encoder_id, "files": [*files]})
        return
    print_lines([f"{path}: {len(folder.manifest.files)} files, encoder id {folder.encoder_id}: ok"])


@command.command("export")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New model folder.")
@click.option("--name", help="What the model is called; by default what the source calls it.")
@click.option("--license", "license_", default="", help="Licence of the weights.")
@click.option("--image-size", type=int, help="Side of the pictures, where it is to differ.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0.0, 1.0),
    default=0.999,
    show_default=True,
    help="Lowest cosine to the source that any sample may have.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(
    source: str,
    *,
    out: Path,
    name: str | None,
    license_: str,
    image_size: int | None,
    tolerance: float,
    as_json: bool,
) -> None:
    """Write any open_clip model as a model folder that runs without torch.

    SOURCE is NAME/TAG, NAME:/path/weights, local-dir:/path or hf-hub:org/name. The folder is
    written only if its embeddings agree with open_clip's own. Needs the extra ``train``.

    \b
    Examples:
      sightline models export ViT-B-32/laion2b_s34b_b79k --out models/vit-b-32
      sightline models export ViT-B-32:/data/epoch_30.pt --out models/mine --name mine
      sightline models export local-dir:runs/first/model --out models/first
    """
    from encoders.export import export_model
    from encoders.folder import open_model_folder

    note(f"exporting {source}; this takes from seconds to a few minutes")
    report = export_model(
        source,
        out,
        name=name,
        license=license_,
        image_size=image_size,
        minimum_cosine=tolerance,
    )
    folder = open_model_folder(out)
    if as_json:
        print_json({**_description(folder), "parity": report.to_json()})
        return
    _print_report(report)
    print_lines([f"{out}: encoder id {folder.encoder_id}"])


def _count(model: str, folder: ModelFolder | None, *, depth: int) -> ModelCount | None:
    """Return the counts of a model; ``None`` for a model folder that cannot be counted here."""
    try:
        from encoders.open_clip_counting import count_folder, count_source
    except ImportError as error:
        from encoders.loading import require_training_extra

        if folder is None:
            raise require_training_extra(error) from error
        note(f"layers are not counted: {require_training_extra(error)}")
        return None
    if folder is not None:
        if not folder.has_open_clip:
            note("layers are not counted: the folder holds no open_clip weights")
            return None
        return count_folder(folder.path, depth=depth)
    if model.endswith(".toml"):
        from training.config import load_config
        from training.towers.open_clip_model import count_recipe

        return count_recipe(load_config(Path(model), {}).model, depth=depth)
    return count_source(model, depth=depth)


def _print_count(count: ModelCount) -> None:
    rows = [
        (
            tower,
            layer.name or "(all)",
            layer.kind,
            f"{layer.parameters:,}",
            f"{layer.multiply_adds:,}",
        )
        for tower, layers in (("image", count.image), ("text", count.text))
        for layer in layers
    ]
    print_table(("tower", "layer", "kind", "parameters", "multiply-adds"), rows)
    print_lines([f"parameters in all: {count.parameters:,}"])


def _print_report(report: ParityReport) -> None:
    rows = [(f"{sample.cosine:.6f}", sample.kind, sample.sample) for sample in report.samples]
    print_table(("cosine", "kind", "sample"), rows)
    for kind in ("image", "text"):
        print_lines([f"lowest {kind} cosine {report.lowest(kind):.6f}"])


def _row(path: Path) -> JSONObject:
    """Read the two small files that describe a model, without verifying the large ones."""
    from core.artifacts import MANIFEST_NAME, read_json
    from encoders.folder import SPEC_NAME

    spec, manifest = read_json(path / SPEC_NAME), read_json(path / MANIFEST_NAME)
    preprocessing = spec.get("preprocessing")
    size = preprocessing.get("image_size") if isinstance(preprocessing, dict) else None
    return {
        "name": spec.get("name"),
        "encoder_id": manifest.get("encoder_id"),
        "dim": spec.get("dim"),
        "image_size": size,
        "path": str(path),
    }


def _description(folder: ModelFolder) -> JSONObject:
    files = {name: (folder.path / name).stat().st_size for name in sorted(folder.manifest.files)}
    runtimes = [
        *(["openvino"] if folder.has_onnx else []),
        *(["torch"] if folder.has_open_clip else []),
    ]
    return {
        "path": str(folder.path),
        "encoder_id": folder.encoder_id,
        "runtimes": [*runtimes],
        **folder.spec.to_json(),
        "tuned": _tuned(folder),
        "bytes": {**files},
    }


def _tuned(folder: ModelFolder) -> JSONObject | None:
    """Return on which machine the folder was tuned, and to what; ``None`` where it was not."""
    from encoders.runtime_table import read_runtime_table

    table = read_runtime_table(folder)
    if table is None:
        return None
    return {
        "machine": str(table.machine),
        "made_at": table.made_at,
        "image": table.chosen.image.precision,
        "images": table.chosen.images.precision,
        "text": table.chosen.text.precision,
        "texts": table.chosen.texts.precision,
    }


def _text(value: JSONValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
