# SPDX-License-Identifier: Apache-2.0
"""How much each of several joined data sets counts in a training, whatever the number of its windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mmq_tf.features.windows import WindowSet


def weighted_by_set(windows: WindowSet, weights: Mapping[str, float], order: Sequence[str]) -> WindowSet:
    """Return training windows of which each data set's have a total weight in proportion to `weights`.

    Parameters
    ----------
    windows : WindowSet
        Of the training people.
    weights : dict of str to float
        By data set; 1 for those that are not named. Empty: every window counts 1, as it is.
    order : sequence of str
        The data sets, the home set first. The windows of the first one that is there weigh 1.

    Returns
    -------
    WindowSet
        With N windows of the first set and n of another one, each of those weighs
        ``(N / n) * weight / weight of the first``.
    """
    if not weights or not len(windows):
        return windows
    counts = {name: int((windows.dataset == name).sum()) for name in order}
    there = [name for name, count in counts.items() if count]
    if not there:
        return windows
    home = there[0]
    scale = counts[home] / weights.get(home, 1.0)
    weight = np.ones(len(windows), np.float32)
    for name in there[1:]:
        weight[windows.dataset == name] = weights.get(name, 1.0) * scale / counts[name]
    return replace(windows, weight=weight)
