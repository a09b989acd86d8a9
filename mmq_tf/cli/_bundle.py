# SPDX-License-Identifier: Apache-2.0
"""The option that names a bundle which comes with the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mmq_tf import pretrained


def pretrained_option(text: str) -> Callable[..., Any]:
    """Return the option --pretrained, which names what there is in its help."""
    known = click.Choice(pretrained.names())
    return click.option("--pretrained", "pretrained_name", type=known, help=text)
