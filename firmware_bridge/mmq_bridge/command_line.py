# SPDX-License-Identifier: Apache-2.0
"""How a command line ends: with the commands' own exit codes, or one sentence and 2."""

from __future__ import annotations

import sys

import click

from mmq_bridge.errors import MMQError


def run(command: click.Command, program: str) -> None:
    """Run a command or a group; what the user can mend is one sentence and exit code 2.

    Parameters
    ----------
    command : click.Command
        Or a group of them.
    program : str
        What users type: the sentence begins with it.
    """
    debug = "--debug" in sys.argv
    try:
        command(standalone_mode=False)
    except click.exceptions.Abort as stop:  # Ctrl-C: click turns KeyboardInterrupt into this
        click.echo(str(stop) or "stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except MMQError as error:
        if debug:
            raise
        click.echo(f"{program}: {error}", err=True)
        sys.exit(2)
