# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf presets`: the configurations that come with the package."""

from __future__ import annotations

import click

from mmq_tf.config.preset_files import preset_names, preset_summary, preset_text

_EPILOG = """
\b
Examples
  mmq-tf presets
  mmq-tf presets stress-predict > my.toml     a copy to change
"""


@click.command(name="presets", epilog=_EPILOG)
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the presets, or print NAME's TOML file, with what it says of itself.

    A preset is a configuration for a data set, to train as it is or to copy and change.
    """
    if name:
        click.echo(preset_text(name), nl=False)
        return
    names = preset_names()
    width = max(map(len, names))
    for preset in names:
        click.echo(f"{preset:{width}}  {preset_summary(preset)}")
