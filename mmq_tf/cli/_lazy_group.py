# SPDX-License-Identifier: Apache-2.0
"""A group of commands that imports each one only when it is called."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from mmq_tf.utils.suggestion import did_you_mean


class LazyGroup(click.Group):
    """Import a command's module only when it is called: `--help` answers at once.

    Parameters
    ----------
    lazy : dict of str to str
        ``module:attribute`` of each command by its name, in the order in which `--help` lists them.
    sections : dict of str to sequence of str, optional
        Titles under which `--help` lists commands, each with theirs; without it all stand under "Commands".
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str],
        sections: Mapping[str, Sequence[str]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._lazy, self._sections = lazy, sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, the lazy ones last."""
        return [*super().list_commands(ctx), *self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of that name."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; where there is none, ask for the one that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message}{meant}", ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so, without importing any command."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._summary(ctx, name)) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by their sections, each with the first sentence it says of itself.

        That is read without importing them.
        """
        names = self.list_commands(ctx)
        column = max((len(name) for name in names), default=0)
        for title, listed in (self._sections or {"Commands": names}).items():
            rows = [(name.ljust(column), self._summary(ctx, name)) for name in listed]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        text = docstring(self._lazy[name]) if name in self._lazy else ""
        command = None if text else self.get_command(ctx, name)
        text = text or (command.help if command else "") or ""
        return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")


def docstring(place: str) -> str:
    """Return the docstring of the function ``module:name``, from its source; empty where there is none.

    Examples
    --------
    >>> docstring("mmq_tf.cli.train:command")[:13]
    'Train MMQ-Net'
    """
    module, _, attribute = place.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.origin:
        return ""
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node) or ""
    return ""
