# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf config`: what a configuration can say."""

from __future__ import annotations

import itertools

import click

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.config.keys import ConfigKey, config_keys, explained
from mmq_tf.config.run_config import RunConfig
from mmq_tf.utils.suggestion import did_you_mean

_EPILOG = """
\b
Examples
  mmq-tf config keys
  mmq-tf config keys training
  mmq-tf config keys model.line_squash
"""


@click.group(name="config", cls=LazyGroup, lazy={})
def command() -> None:
    """Say which keys a configuration can have, and what each one does."""


@command.command("keys", epilog=_EPILOG)
@click.argument("part", required=False)
def keys(part: str | None) -> None:
    """List every key, or those of PART (a section or one key): what values it takes, and its default.

    `--set KEY=VALUE` changes one for a run.
    """
    known = list(config_keys(RunConfig))
    found = [key for key in known if part is None or key.name == part or key.name.startswith(f"{part}.")]
    if not found:
        names = {key.name for key in known} | {key.name.partition(".")[0] for key in known}
        raise click.UsageError(f"there is no key or section {part!r}.{did_you_mean(part or '', names)}")
    width = max(len(key.name) for key in found)
    for section, own in itertools.groupby(found, lambda key: key.section):
        click.echo(click.wrap_text(explained(section), 110) + "\n")
        for key in own:
            click.echo(_line(key, width))
        click.echo()


def _line(key: ConfigKey, width: int) -> str:
    default = key.default if key.default == "required" else f"[{key.default}]"
    return f"  {key.name:{width}}  {key.kind}  {default}"
