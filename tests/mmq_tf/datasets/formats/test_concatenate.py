# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmq_tf.datasets.formats.concatenate import GAP_S, GRID_S, PAUSE_S, Piece, join_pieces
from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal


def signal(seconds, value=1.0, rate=4.0, start_s=0.0, name="eda", unit="uS"):
    samples = np.full((1, round(seconds * rate)), value, np.float32)
    return Signal(name, samples, rate, unit, (name,), start_s)


def test_trials_fall_on_the_grid_with_lost_samples_between():
    pieces = [Piece({"eda": signal(63, 1.0)}, 3.0), Piece({"eda": signal(63, 2.0)}, 3.0)]
    joined, offsets = join_pieces(pieces)
    assert offsets == [57.0, 177.0]
    samples = joined["eda"].samples[0]
    lost = np.isnan(samples)
    assert lost[: 57 * 4].all()
    assert (samples[57 * 4 : 120 * 4] == 1).all()
    assert lost[120 * 4 : 177 * 4].all()
    assert (samples[177 * 4 :] == 2).all()
    assert joined["eda"].stop_s == 240.0


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 30)), min_size=1, max_size=6),
    st.sampled_from([1.0, 4.0, 32.0, 128.0]),
)
def test_nothing_overlaps_and_nothing_is_lost(parts, rate):
    pieces = [
        Piece({"eda": signal(length + zero, number + 1, rate)}, float(zero))
        for number, (length, zero) in enumerate(parts)
    ]
    joined, offsets = join_pieces(pieces)
    samples = joined["eda"].samples[0]
    for number, (piece, offset) in enumerate(zip(pieces, offsets, strict=True)):
        assert (offset + piece.zero_s) % GRID_S == 0
        assert (samples == number + 1).sum() == piece.signals["eda"].samples.shape[1]
        if number:
            stop_s = offsets[number - 1] + pieces[number - 1].stop_s
            assert offset >= stop_s + GAP_S
            assert offset + piece.zero_s >= stop_s + PAUSE_S


def test_a_modality_a_piece_lacks_is_lost_there():
    ppg = signal(30, 5.0, 64.0, name="ppg", unit="a.u.")
    joined, _ = join_pieces([Piece({"eda": signal(30)}), Piece({"eda": signal(30), "ppg": ppg})])
    assert np.isnan(joined["ppg"].samples[0, : 120 * 64]).all()
    assert (joined["ppg"].samples[0, 120 * 64 :] == 5).all()


def test_a_late_sensor_stays_late():
    joined, _ = join_pieces([Piece({"eda": signal(30, start_s=2.0)})])
    assert np.isnan(joined["eda"].samples[0, :8]).all()
    assert joined["eda"].samples[0, 8] == 1


@pytest.mark.parametrize(("other", "word"), [({"rate": 8.0}, "sampling_rate_hz"), ({"unit": "kOhm"}, "unit")])
def test_pieces_that_do_not_fit_are_refused(other, word):
    with pytest.raises(MMQError, match=f"eda: every piece must have the same {word}"):
        join_pieces([Piece({"eda": signal(30)}), Piece({"eda": signal(30, **other)})])
    with pytest.raises(MMQError, match="at least one piece"):
        join_pieces([])
