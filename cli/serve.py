"""``sightline serve``: a gallery over HTTP, with a page."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_lines
from core.errors import SightlineError, UsageError

if TYPE_CHECKING:
    from service.settings import Settings

logger = logging.getLogger("sightline")


@click.command(name="serve")
@click.option("--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.")
@click.option("--model", help="Model folder or open_clip source.  [default: the gallery's own]")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="TCP port, 0 for a free one.  [default: 8000]")
@click.option(
    "--reports", type=click.Path(path_type=Path), help="Folder of reports that the page shows."
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option(
    "--precision",
    help="auto, float32, bfloat16 or int8.  [default: auto: what the model was tuned to here]",
)
@click.option("--read-only", is_flag=True, default=None, help="Refuse every change.")
@click.option("--processes", type=int, help="Processes behind one port, with --read-only.")
@click.option("--print-config", is_flag=True, help="Print the settings as TOML and stop.")
def command(
    *,
    gallery: Path | None,
    model: str | None,
    host: str | None,
    port: int | None,
    reports: Path | None,
    config: Path | None,
    precision: str | None,
    read_only: bool | None,
    processes: int | None,
    print_config: bool,
) -> None:
    """Serve a gallery: the API, its documentation at /docs and the page at /.

    Settings come from these options, then SIGHTLINE_* variables, then the file of --config.
    Ctrl-C or SIGTERM finishes the requests in flight and stops.

    \b
    Examples:
      sightline serve
      sightline serve --gallery ~/photos.gallery --port 9000
      SIGHTLINE_READ_ONLY=1 sightline serve --host 0.0.0.0
      sightline serve --read-only --processes 2
      sightline serve --reports reports
      sightline serve --print-config > sightline.toml
      sightline serve --config sightline.toml
    """
    from service.settings import as_toml, load_settings

    options = {
        "gallery": gallery,
        "model": model,
        "host": host,
        "port": port,
        "reports_folder": reports,
        "precision": precision,
        "read_only": read_only,
        "processes": processes,
    }
    settings = load_settings(config=config, options=options)
    if print_config:
        print_lines(as_toml(settings).splitlines())
        return
    if settings.log_format == "json":
        _serve_in_json(settings)
        return
    note(f"Opening {settings.gallery} ...")
    run_server(settings, on_ready=_announce)


def run_server(
    settings: Settings, *, on_ready: Callable[[str, list[str]], None] | None = None
) -> None:
    """Serve until SIGTERM or Ctrl-C, by one process or several.

    ``on_ready`` is called with the address once it answers, and with those that each process has
    for itself where there are several.

    Raises:
        SightlineError: the port is taken, or the model or the gallery cannot be opened.
    """
    if settings.processes > 1:
        # The parent of the processes imports no more than it needs: it serves nothing itself.
        from service.process_group import serve_in_processes

        serve_in_processes(settings, on_ready=on_ready)
        return
    from service import server

    server.run_server(
        settings, on_ready=None if on_ready is None else lambda address: on_ready(address, [])
    )


def _serve_in_json(settings: Settings) -> None:
    """Serve, and say in log records what is otherwise said to people."""
    from core.log import configure_logging, log_everything

    configure_logging(log_format=settings.log_format, level=settings.log_level)
    log_everything()
    logger.info("opening", extra={"gallery": str(settings.gallery)})
    try:
        run_server(
            settings,
            on_ready=lambda address, own: logger.info(
                "serving", extra={"address": address, "processes": own}
            ),
        )
    except SightlineError as error:
        logger.critical("cannot serve", extra={"code": error.code, "reason": str(error)})
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _announce(address: str, own: list[str]) -> None:
    if own:
        note(f"{len(own)} processes, each also alone: {', '.join(own)}")
    note(f"Serving on {address} (documentation: {address}/docs). Stop with Ctrl-C.")
