# SPDX-License-Identifier: Apache-2.0
"""The command line: one file a command."""

from __future__ import annotations

import logging
import os

import click
from mmq_bridge.command_line import run

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.utils.foreign_settings import settle_keras

os.environ["MPLBACKEND"] = "agg"  # a kernel of Jupyter leaves its own to `!mmq-tf`
# TensorFlow reads these when it is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

_LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
_HELP = """Emotion and stress recognition on wearables that keeps working when sensors fail.

\b
mmq-tf train                         train on a SIMULATED cohort
mmq-tf train stress-predict --data DIR
mmq-tf prepare deap --data DIR       features into the cache, on all cores
mmq-tf evaluate                      the newest run under missing and broken sensors
mmq-tf export --int8                 turn the newest run into a bundle to embed
mmq-tf verify bundles/NAME
mmq-tf stream bundles/NAME --replay E4_FOLDER --drop ppg@60-120
mmq-tf stream --pretrained wrist-stress --replay E4_FOLDER
mmq-tf companion --pretrained wrist-stress
"""
SECTIONS = {
    "Recordings": ("datasets", "simulate", "clean", "prepare"),
    "Train and judge": ("train", "evaluate", "tune", "compare", "advise", "pretrain", "presets", "config"),
    "Ship": ("export", "verify", "pack", "bench"),
    "Run": ("stream", "play", "personalise", "companion"),
    "This installation": ("doctor", "completion"),
}
"""The commands, by what people come for."""

COMMANDS = tuple(name for names in SECTIONS.values() for name in names)


@click.group(
    cls=LazyGroup,
    lazy={name: f"mmq_tf.cli.{name}:command" for name in COMMANDS},
    sections=SECTIONS,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(package_name="mmq-tf")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and debug messages.")
def cli(debug: bool) -> None:
    """Set up logging; the commands do the rest."""
    settle_keras()
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format=_LOG_FORMAT)


def main() -> None:
    """Run the command line; what the user can mend is one sentence and exit code 2."""
    run(cli, "mmq-tf")
