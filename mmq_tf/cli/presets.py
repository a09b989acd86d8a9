# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf presets`: the configurations that come with the package."""

from __future__ import annotations

import click

from mmq_tf.config.run_config import RunConfig, load_config, preset_names, preset_text

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
    configs = {preset: load_config(preset) for preset in preset_names()}
    width = max(map(len, configs))
    for preset, config in configs.items():
        click.echo(f"{preset:{width}}  {_summary(config)}")


def _summary(config: RunConfig) -> str:
    sets = ", ".join(config.set_order) or config.data.dataset
    sensors, classes = " ".join(config.front_end.modality_names), " or ".join(config.classes)
    window = config.front_end.token_s * config.front_end.tokens
    return f"{sets}: {config.data.task} ({classes}) from {sensors}, {window:g} s windows"
