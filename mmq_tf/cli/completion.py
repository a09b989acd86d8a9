# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf completion`: commands and options by the Tab key."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from mmq_tf.errors import MMQError

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/mmq-tf"),
    "zsh": ("ZDOTDIR", "", ".zfunc/_mmq-tf"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/mmq-tf.fish"),
}
"""Where each shell looks for a user's completions: what moves it, its place at home, the file."""

_EPILOG = """
\b
Examples
  mmq-tf completion                   for the shell you use
  mmq-tf completion fish
  mmq-tf completion bash --print      the script, to put where you like
"""


@click.command(name="completion", epilog=_EPILOG)
@click.argument("shell", required=False, type=click.Choice(tuple(SHELLS)))
@click.option("--print", "only_print", is_flag=True, help="Print the script and install nothing.")
def command(shell: str | None, only_print: bool) -> None:
    """Install completion by the Tab key for SHELL, by default the one you use.

    One file is written, where the shell looks for completions of a user's own.
    """
    name = shell or _own_shell()
    script = script_for(name)
    if only_print:
        click.echo(script, nl=False)
        return
    path = place_for(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, "utf-8")
    except OSError as error:
        raise MMQError(f"{path}: cannot be written ({error.strerror or error}); use --print.") from error
    click.echo(f"completion for {name}: {path}")
    if name == "zsh":
        click.echo(
            "zsh looks there once .zshrc says: fpath+=${ZDOTDIR:-~}/.zfunc; autoload -Uz compinit && compinit"
        )
    click.echo("it works in shells that are opened from now on.")


def script_for(shell: str) -> str:
    """Return a shell's completion script."""
    variable, function = "_MMQ_TF_COMPLETE", "_mmq_tf_completion"
    values = {"complete_func": function, "complete_var": variable, "prog_name": "mmq-tf"}
    return SHELLS[shell].source_template % values


def place_for(shell: str) -> Path:
    """Return the file where a shell looks for a user's completion of mmq-tf."""
    variable, folder, file = PLACES[shell]
    return Path(os.environ.get(variable) or Path.home() / folder) / file


def _own_shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise click.UsageError(f"name your shell: one of {', '.join(SHELLS)}.")
    return name
