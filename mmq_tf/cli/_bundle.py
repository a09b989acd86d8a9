# SPDX-License-Identifier: Apache-2.0
"""The bundle a command works on: a folder, or one that comes with the package."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mmq_tf import pretrained


def takes_bundle(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument BUNDLE and the option --pretrained; `function` gets one `bundle` path."""

    @click.argument("bundle", required=False, type=click.Path(path_type=Path))
    @pretrained_option("A model that comes with mmq-tf, instead of BUNDLE.")
    @functools.wraps(function)
    def command(*, bundle: Path | None, pretrained_name: str | None, **others: Any) -> Any:
        if (bundle is None) == (pretrained_name is None):
            raise click.UsageError("name one of the folder BUNDLE and --pretrained NAME.")
        return function(bundle=bundle or pretrained.path(str(pretrained_name)), **others)

    return command


def pretrained_option(text: str) -> Callable[..., Any]:
    """Return the option --pretrained, which names what there is in its help."""
    known = click.Choice(pretrained.names())
    return click.option("--pretrained", "pretrained_name", type=known, help=text)
