# SPDX-License-Identifier: Apache-2.0
"""Breaks that a file declares, and the time that they left out."""

import math

import mne
import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge import from_mne
from mmq_tf.mne_bridge.breaks import GAP_S, Breaks, is_boundary


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("boundary", True), ("Boundary", True), ("BAD boundary", True), ("EDGE boundary", True),
        ("-99", True), ("-99.0", True), ("New Segment/", True), ("32766", True),
        ("rest", False), ("BAD", False), ("boundary task", False), ("-9", False), ("new", False),
    ],
)  # fmt: skip
def test_what_is_a_boundary(text, said):
    assert is_boundary(text) is said


def test_times_and_samples_move_by_what_was_left_out():
    breaks = Breaks([(6.0, math.nan), (2.0, 1.5), (2.0, 0.0), (0.0, 9.0), (10.0, 9.0), (-3.0, 9.0)], 10.0)
    assert [(one.at_s, one.lost_s) for one in breaks.found] == [(2.0, 1.5), (6.0, GAP_S)]
    assert [breaks.moved(time_s) for time_s in (0.0, 1.9, 2.0, 5.0, 6.0)] == [0.0, 1.9, 3.5, 6.5, 12.5]
    assert [breaks.moved(time_s, is_stop=True) for time_s in (2.0, 6.0, 7.0)] == [2.0, 7.5, 13.5]
    spread = breaks.spread(np.arange(20, dtype=np.float32)[None], 2.0)
    assert spread.dtype == np.float32
    lost = [*range(4, 7), *range(15, 25)]
    assert np.isnan(spread[0]).nonzero()[0].tolist() == lost
    assert spread[0, [n for n in range(33) if n not in lost]].tolist() == list(range(20))
    assert not Breaks([(0.0, 3.0)], 10.0)


@pytest.mark.parametrize("lost_s", [1e300, math.inf])
def test_a_break_longer_than_any_recording(lost_s):
    with pytest.raises(MMQError, match="its breaks leave out"):
        Breaks([(1.0, lost_s)], 10.0)


def test_raws_that_mne_joined_stay_apart():
    info = mne.create_info(["Fz"], 10.0, "eeg")
    raws = [mne.io.RawArray(np.full((1, 50), value * 1e-6), info, verbose="ERROR") for value in (1, 2)]
    raw = mne.concatenate_raws(raws, verbose="ERROR")
    assert isinstance(raw, mne.io.BaseRaw)
    raw.set_annotations(raw.annotations + mne.Annotations([1.0, 6.0], [2.0, 3.0], ["s=rest", "s=stress"]))
    got = from_mne(raw, subject="P1")
    eeg = got.signals["eeg"].samples[0]
    assert np.isnan(eeg).nonzero()[0].tolist() == list(range(50, 100))
    assert (eeg[0], eeg[100], len(eeg)) == (1, 2, 150)
    assert [(t.start_s, t.stop_s, t.labels["s"]) for t in got.trials] == [(1, 3, "rest"), (11, 14, "stress")]
