"""``--url`` given to a command that works on files of this machine: what to do instead."""

from __future__ import annotations

import click

from core.errors import UsageError


def refuse_url(command: click.Command, name: str) -> click.Command:
    """Return the command with a hidden ``--url`` that says why it has none.

    Commands that work against a server keep their own. A group that imports its sub-commands
    when they are run calls this for each of them.
    """
    if isinstance(command, click.Group):
        for sub_name, sub_command in command.commands.items():
            refuse_url(sub_command, f"{name} {sub_name}")
        return command
    if all(parameter.name != "url" for parameter in command.params):
        command.params.append(_refusing_option(name))
    return command


def _refusing_option(name: str) -> click.Option:
    def refuse(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        del context, parameter
        if value is not None:
            raise UsageError(
                f"sightline {name} works on files of the machine that it runs on, so it takes no "
                "--url; run it on the server's machine, with --gallery FOLDER where it is about a "
                "gallery"
            )

    return click.Option(["--url"], hidden=True, expose_value=False, is_eager=True, callback=refuse)
