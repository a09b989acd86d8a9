# SPDX-License-Identifier: Apache-2.0
"""The options of commands whose jobs can run on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--cluster`` and ``--gpus-per-job``, the arguments `cluster` and `gpus_per_job`."""
    given = click.option(
        "--gpus-per-job",
        type=click.FloatRange(min=0),
        default=0.0,
        show_default=False,
        metavar="N",
        help="With --cluster: the share of a GPU for each job, as 0.25.",
    )
    where = click.option(
        "--cluster",
        is_flag=False,
        flag_value="auto",
        metavar="[HOST:PORT]",
        help="Run the folds on this Ray cluster, by default the one this machine belongs to; --jobs then "
        "only prepares recordings. Its nodes must share the folder that is written.",
    )
    return where(given(command))
