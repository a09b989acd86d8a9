# SPDX-License-Identifier: Apache-2.0
"""The only filter in this toolkit that needs the future: zero-phase, for fitting alone.

It changes what a matrix is fitted on, never what is sent through it. No front end has a setting for it, and
`mmq_bridge` and `mmq_export` cannot import this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mne.io import BaseRaw

HIGH_PASS_HZ = 1.0
"""ICA is far better without slow drifts: Winkler et al. 2015 (Proc. IEEE EMBC, 4101-4105)."""


def high_passed_for_fitting(raw: BaseRaw) -> BaseRaw:
    """Return a copy without what is slower than 1 Hz and without any mean (zero-phase FIR, MNE's design).

    The mean is taken off so that an ICA fitted on the copy has no constant term: a matrix has none either.
    """
    copy = raw.copy().filter(HIGH_PASS_HZ, None, picks="all", phase="zero")
    copy.apply_function(_centred, picks="all")
    return copy


def _centred(samples):
    return samples - samples.mean()
