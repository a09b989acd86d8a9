# SPDX-License-Identifier: Apache-2.0
"""SIMULATED cohorts in the layouts of licensed data sets: for tests, demos, and work before a licence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mmq_tf.simulation.layouts import case, deap, mahnob_hci, wesad

LayoutWriter = Callable[[Path, int, int, bool], Iterator[str]]
"""``write(root, subjects, seed, short)``: write that many subjects into the empty `root` and yield each
one's name when it is done. `short` shortens what the layout lets be shortened, for demos."""

LAYOUTS: dict[str, LayoutWriter] = {
    "case": case.write,
    "case_raw": case.write_raw,
    "deap": deap.write,
    "deap_raw": deap.write_raw,
    "mahnob_hci": mahnob_hci.write,
    "wesad": wesad.write,
}
"""By data set name."""

LOCKED_LAYOUTS: dict[str, LayoutWriter] = {"deap": deap.write_locked}
"""Those whose bodies can follow one shared response to each stimulus."""
