# SPDX-License-Identifier: Apache-2.0
"""Each step on simulated caps, where the right matrix is known."""

import numpy as np
import pytest

from mmq_tf.cleaning import compose, interpolate_bads, probe, re_reference, regress_eog, remove_components
from mmq_tf.cleaning.zero_phase import high_passed_for_fitting
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.mne_logging import mne_through_the_log


@pytest.fixture(autouse=True)
def _quiet():
    with mne_through_the_log("test"):
        yield


def referenced(raw):
    """MNE regresses only what has a reference; keep the one there is."""
    re_reference(raw, None).apply(raw)
    return raw


def done_by_mne(step, raw):
    copy = raw.copy()
    step.apply(copy)
    return copy.get_data()


def done_by_matrix(step, raw):
    return step.matrix @ raw.get_data() + step.offset[:, None]


def test_the_average_reference_is_one_minus_an_nth_over_the_good_channels(cap):
    raw = cap.raw()
    raw.info["bads"] = ["C3", "O2"]
    good = [name not in ("C3", "O2", "VEOG") for name in raw.ch_names]
    expected = np.eye(17)
    expected[np.ix_(good, good)] -= 1 / 14
    step = re_reference(raw)
    np.testing.assert_allclose(step.matrix, expected, atol=1e-15)
    assert not step.offset.any()
    np.testing.assert_allclose(done_by_matrix(step, raw), done_by_mne(step, raw), atol=1e-18)


def test_no_reference_changes_nothing(cap):
    step = re_reference(cap.raw(), None)
    np.testing.assert_array_equal(step.matrix, np.eye(17))
    assert step.name == "its own reference"


def test_a_named_reference_is_the_mean_of_its_electrodes_and_no_eeg_afterwards(cap):
    raw = cap.raw()
    step = re_reference(raw, ("C3", "C4"))
    expected = np.eye(17)
    expected[:16, [7, 9]] -= 0.5
    np.testing.assert_allclose(step.matrix, expected, atol=1e-15)
    step.apply(raw)
    assert raw.get_channel_types(["C3", "C4"]) == ["misc", "misc"]


def test_regression_finds_the_gains_of_an_eye_that_has_nothing_to_do_with_the_brain(cap):
    raw = referenced(cap.raw())
    eog = cap.eog - cap.eog.mean()
    brain = cap.brain - np.outer(cap.brain @ eog / (eog @ eog), eog)  # exactly uncorrelated
    gains = cap.gain / 200.0
    raw._data[:16] = 1e-6 * (brain + np.outer(gains, eog))
    step = regress_eog(raw, "recording")
    expected = np.eye(17)
    expected[:16, 16] = -gains
    np.testing.assert_allclose(step.matrix, expected, atol=1e-12)
    np.testing.assert_allclose(done_by_matrix(step, raw)[:16] * 1e6, brain - gains[:, None] * cap.eog.mean())


def test_regression_on_blinks_finds_the_gains_where_everything_else_misleads(cap):
    raw = referenced(cap.raw())
    shared = 40.0 * np.sin(2 * np.pi * 25 * raw.times)  # between blinks the EOG sees the brain, or a muscle
    for peak in cap.peaks:
        shared[max(0, peak - 220) : peak + 220] = 0
    raw._data[16] = 1e-6 * (cap.eog + shared)
    raw._data[:16] = 1e-6 * (cap.gain[:, None] * cap.blink + shared * 5.0)
    errors = {}
    for fit_on in ("blinks", "recording"):
        found = -regress_eog(raw, fit_on).matrix[:16, 16]
        errors[fit_on] = np.abs(found - cap.gain / 200.0).max()
    assert errors["blinks"] < 0.01 < 0.5 < errors["recording"]


def test_regression_leaves_bad_channels_alone_and_is_mne_on_centred_data(cap):
    raw = referenced(cap.raw())
    raw.info["bads"] = ["Cz"]
    raw.apply_function(lambda x: x - x.mean(), picks="all")
    step = regress_eog(raw)
    assert step.matrix[8, 16] == 0
    np.testing.assert_allclose(done_by_matrix(step, raw), done_by_mne(step, raw), atol=1e-17)


def test_interpolation_is_what_mne_does_and_keeps_a_constant(cap):
    raw = cap.raw()
    raw.info["bads"] = ["Cz", "O1"]
    step = interpolate_bads(raw)
    assert step.matrix[[8, 13]].sum(axis=1) == pytest.approx([1, 1], abs=1e-9)
    assert not step.matrix[:, [8, 13]].any()
    good = np.delete(np.arange(17), [8, 13])
    np.testing.assert_array_equal(step.matrix[np.ix_(good, good)], np.eye(15))
    np.testing.assert_allclose(done_by_matrix(step, raw), done_by_mne(step, raw), atol=1e-18)


def test_an_ica_with_known_sources_takes_out_the_blink_and_nothing_else(cap):
    raw = cap.raw()
    step = remove_components(raw, seed=0)
    assert len(step.eog) == 1
    cleaned = (done_by_matrix(step, raw)[:16] - step.offset[:16, None]) * 1e6
    assert np.ptp(cap.gain[0] * cap.blink) > 290
    # what is left of the blink: regression of the cleaned signal on the known blink
    blink = cap.blink - cap.blink.mean()
    left = cleaned @ blink / (blink @ blink)
    kept_apart = cap.brain @ blink / (blink @ blink)  # chance correlation of the known brain
    assert np.abs(left - kept_apart).max() < 0.1 * 300
    error = cleaned - cleaned.mean(axis=1, keepdims=True) - cap.brain
    assert error.std() < 0.1 * cap.brain.std()


def test_an_ica_is_the_matrix_its_parts_make(cap):
    """``D V (A S W) V' D^-1`` and ``D (I - V A S W V') m``, on data with a mean so that the offset shows."""
    import mne

    raw = cap.raw(eog=False)
    raw.apply_function(lambda x: x + 20e-6)
    ica = mne.preprocessing.ICA(n_components=10, random_state=3, max_iter="auto").fit(raw, verbose="ERROR")
    ica.exclude = [1, 4]
    matrix, offset = probe(raw, lambda inst: ica.apply(inst))
    components, n = ica.pca_components_, ica.n_components_
    unmixing, mixing = np.eye(len(components)), np.eye(len(components))
    unmixing[:n, :n], mixing[:n, :n] = ica.unmixing_matrix_, ica.mixing_matrix_
    kept = np.diag([0.0 if i in ica.exclude else 1.0 for i in range(len(components))])
    inner = components.T @ mixing @ kept @ unmixing @ components
    scale = np.ravel(ica.pre_whitener_)
    np.testing.assert_allclose(matrix, scale[:, None] * inner / scale, atol=1e-10)
    expected_offset = scale * ((np.eye(16) - inner) @ ica.pca_mean_)
    assert np.abs(expected_offset).max() > 1e-8
    np.testing.assert_allclose(offset, expected_offset, atol=1e-15)


def test_an_ica_takes_out_a_muscle_under_one_electrode(cap):
    raw = cap.raw()
    muscle = np.random.default_rng(4).laplace(size=raw.n_times) * 60.0
    raw._data[6] += 1e-6 * muscle  # FC6: flat spectrum, one place, far from the vertex
    step = remove_components(raw, seed=0)
    assert len(step.muscle) == 1
    cleaned = done_by_matrix(step, raw)[6] * 1e6
    left = cleaned @ muscle / (muscle @ muscle)
    assert abs(left) < 0.1


def test_an_ica_that_would_leave_no_brain_is_refused(cap):
    raw = cap.raw()
    rng = np.random.default_rng(2)
    raw._data[:16] = 1e-6 * cap.mixing @ rng.laplace(size=(12, raw.n_times))  # flat spectra all
    with pytest.raises(MMQError, match="components look like eyes or muscles"):
        remove_components(raw, seed=0)


def test_the_same_seed_gives_the_same_matrix(cap):
    raw = high_passed_for_fitting(cap.raw())
    first, again = (remove_components(raw, seed=5).matrix for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_steps_multiply_in_the_order_they_act(cap):
    raw = cap.raw()
    raw.info["bads"] = ["Fz"]
    reference = re_reference(raw)
    after = raw.copy()
    reference.apply(after)
    steps = (reference, interpolate_bads(after))
    matrix, offset = compose(steps, 17)
    interpolated = after.copy()
    steps[1].apply(interpolated)
    np.testing.assert_allclose(matrix @ raw.get_data() + offset[:, None], interpolated.get_data(), atol=1e-18)
    wrong, _ = compose(steps[::-1], 17)
    assert np.abs(wrong - matrix).max() > 1e-3


def test_no_step_is_the_identity():
    matrix, offset = compose((), 3)
    assert (matrix == np.eye(3)).all()
    assert not offset.any()


def test_fitting_filters_a_copy_and_leaves_no_mean(cap):
    raw = cap.raw()
    before = np.asarray(raw.get_data())
    copy = high_passed_for_fitting(raw)
    np.testing.assert_array_equal(raw.get_data(), before)
    assert np.abs(np.asarray(copy.get_data()).mean(axis=1)).max() < 1e-18


def one_blink(raw):
    raw._data[16] = 2e-4 * np.exp(-0.5 * ((raw.times - 30) / 0.08) ** 2)


@pytest.mark.parametrize(
    ("change", "call", "message"),
    [
        (lambda raw: raw.pick(["Cz", "VEOG"]), re_reference, "needs two good EEG channels"),
        (None, lambda raw: re_reference(raw, ("Cz", "A1")), "got A1"),
        (None, lambda raw: re_reference(raw, ()), "got nothing"),
        (lambda raw: raw.pick("eeg"), regress_eog, "expected at least one EOG channel"),
        (one_blink, regress_eog, "expected at least 5 blinks"),
        (lambda raw: raw.pick(["Fp1", "Cz", "VEOG"]), remove_components, "more than 11 good EEG"),
        (lambda raw: raw.pick("eeg"), remove_components, "blink_channel"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(cap, change, call, message):
    raw = referenced(cap.raw())
    if change is not None:
        change(raw)
    with pytest.raises(MMQError, match=message) as caught:
        call(raw)
    assert "\n" not in str(caught.value)


def test_interpolating_needs_positions(cap):
    raw = cap.raw().rename_channels({"Cz": "E1"}).set_montage(None)
    raw.info["bads"] = ["E1"]
    with pytest.raises(MMQError, match="E1.* has none"):
        interpolate_bads(raw)
