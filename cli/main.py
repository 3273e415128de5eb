"""The ``sightline`` command: finds the sub-command, turns errors into messages and exit codes.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys

import click

from cli.output import note
from cli.settings import wants_traceback
from cli.url_refusal import refuse_url
from core.errors import SightlineError, UsageError

COMMANDS = {
    "demo": "index the example gallery and serve it",
    "serve": "serve a gallery over HTTP",
    "keys": "say who may use a served gallery",
    "add": "add images to a gallery",
    "search": "search a gallery by text or image",
    "embed": "embed images and captions into a folder, as clip-retrieval does",
    "import": "take over embeddings that were made elsewhere",
    "index": "measure, choose and build the index of a gallery",
    "duplicates": "list images of a gallery that look alike",
    "delete": "delete images from a gallery",
    "list": "list galleries with their size and age",
    "doctor": "examine a gallery, and mend it",
    "compact": "give the space of a gallery back",
    "export": "write a gallery in open formats",
    "backup": "write a gallery into one file",
    "restore": "bring a gallery back from its backup",
    "fields": "index metadata fields that filters ask for",
    "classify": "label images with words of your choice",
    "labels": "save label sets, teach them by examples, calibrate them",
    "data": "check, filter and de-duplicate image-text pairs",
    "train": "train a dual encoder on image-text pairs",
    "judgements": "list, export, import and score hits that were marked right or wrong",
    "evaluate": "score retrieval and zero-shot labels offline",
    "models": "list, show, verify and export models",
}

_MODULES = {"import": "importing"}
"""Commands whose names cannot be those of modules."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is run, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``cli.<name>`` and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return refuse_url(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sightline")
def command() -> None:
    """Image search and zero-shot labelling on your own machine.

    \b
    Examples:
      sightline demo
      sightline add ~/Pictures
      sightline search "a red car -toy"
      sightline classify cat.jpg --labels cat,dog,bird
    """


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = command.main(prog_name="sightline", standalone_mode=False)
    except SightlineError as error:
        _fail(f"sightline: {error}", 2 if isinstance(error, UsageError) else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("sightline: interrupted", 130)
    except BrokenPipeError:
        # The reader of our output went away (for example `head`): that is no failure.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    if wants_traceback():
        raise  # noqa: PLE0704 - called from an except block only
    note(message)
    sys.exit(code)


if __name__ == "__main__":
    main()
