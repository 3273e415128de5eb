"""``sightline evaluate embed``: pairs to one file of vectors, for evaluations without a model."""

from __future__ import annotations

from pathlib import Path

import click

from cli.evaluation_options import Reading, data_argument, reading_options
from cli.output import note, print_lines
from core.errors import UsageError


@click.command(name="embed")
@data_argument
@reading_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file, NAME.npz.")
@click.option("--labels", help="Classes to embed too, with commas.  [default: the labels of DATA]")
@click.option("--label-set", help="name or name@version, instead of --labels.")
@click.option("--gallery", type=click.Path(path_type=Path), help="Where label sets are stored.")
@click.option("--templates", "templates_name", help="Template set.  [default: imagenet7]")
def command(
    *,
    data: Path,
    reading: Reading,
    out: Path,
    labels: str | None,
    label_set: str | None,
    gallery: Path | None,
    templates_name: str | None,
) -> None:
    """Embed images, captions and labels of DATA into one .npz file.

    Every other command of `sightline evaluate` takes the file as its DATA, and then needs neither
    a model nor torch.

    \b
    Examples:
      sightline evaluate embed pairs.jsonl --out pairs.npz
      sightline evaluate embed 'dataset_coco.json#test' --captions-per-image 5 --out coco.npz
      sightline evaluate embed photos --labels cat,dog --templates imagenet80 --out photos.npz
    """
    from cli.evaluation_data import is_embeddings, open_data
    from cli.evaluation_labels import wanted_labels
    from evaluation.embeddings_file import refuse_target, write_embeddings

    refuse_target(out)
    if is_embeddings(data):
        raise UsageError(f"{data} holds embeddings already; give the pairs")
    chosen, templates = wanted_labels(labels, label_set, templates_name, gallery)
    embeddings = open_data(data, reading, labels=chosen, templates=templates, optional_labels=True)
    write_embeddings(embeddings, out)
    prompts = embeddings.prompts
    print_lines(
        [
            f"images    {len(embeddings.images.places_G)} of {len(embeddings.pairs)}",
            f"captions  {len(embeddings.captions_CD)}",
            f"labels    {0 if prompts is None else len(prompts.labels)}",
            f"dimension {embeddings.images.embeddings_GD.shape[1]}",
        ]
    )
    note(f"written to {out}")
