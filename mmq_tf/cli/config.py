# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf config`: what a configuration can say."""

from __future__ import annotations

from typing import NamedTuple

import click

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.cli._prepared import prepared
from mmq_tf.utils.suggestion import did_you_mean

_EPILOG = """
\b
Examples
  mmq-tf config keys
  mmq-tf config keys training
  mmq-tf config keys model.line_squash
"""


class Key(NamedTuple):
    """One key: its dotted name, what values it takes, and its default."""

    name: str
    kind: str
    default: str


@click.group(name="config", cls=LazyGroup, lazy={})
def command() -> None:
    """Say which keys a configuration can have, and what each one does."""


@command.command("keys", epilog=_EPILOG)
@click.argument("part", required=False)
def keys(part: str | None) -> None:
    """List every key, or those of PART (a section or one key): what values it takes, and its default.

    `--set KEY=VALUE` changes one for a run.
    """
    sections = [(about, [Key(*key) for key in own]) for about, own in prepared("keys")]
    known = [key for _, own in sections for key in own]
    found = [key for key in known if part is None or key.name == part or key.name.startswith(f"{part}.")]
    if not found:
        names = {key.name for key in known} | {key.name.partition(".")[0] for key in known}
        raise click.UsageError(f"there is no key or section {part!r}.{did_you_mean(part or '', names)}")
    width = max(len(key.name) for key in found)
    for about, own in sections:
        shown = [key for key in own if key in found]
        if not shown:
            continue
        click.echo(click.wrap_text(about, 110) + "\n")
        for key in shown:
            default = key.default if key.default == "required" else f"[{key.default}]"
            click.echo(f"  {key.name:{width}}  {key.kind}  {default}")
        click.echo()
