"""``sightline evaluate report``: the readable pages of a report, made again from its files."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import note


@click.command(name="report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File: .html for the page with plots, .md for Markdown.  [default: Markdown, printed]",
)
def command(*, folder: Path, out: Path | None) -> None:
    """Render the readable pages of a report again from its files.

    For reports of other machines and older releases; nothing is measured, and the report folder
    stays as it is. The page with plots needs matplotlib: pip install 'sightline[evaluation]'.

    \b
    Examples:
      sightline evaluate report reports/first
      sightline evaluate report reports/first --out first.md
      sightline evaluate report reports/first --out first.html
    """
    from core.artifacts import read_json, read_manifest, verify_files, write_atomic
    from evaluation.html_report import report_page
    from evaluation.markdown import markdown_report
    from evaluation.report import KIND, SCHEMA_VERSION

    verify_files(folder, read_manifest(folder, kind=KIND, format_version=SCHEMA_VERSION))
    if out is not None and out.suffix.lower() in {".html", ".htm"}:
        text = report_page(folder)
    else:
        text = markdown_report(read_json(folder / "metrics.json"))
    if out is None:
        click.echo(text, nl=False)
        return
    write_atomic(out, text.encode())
    note(f"written to {out}")
