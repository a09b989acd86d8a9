# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf bench model`: what is compared, what is counted, what is refused. Never how long anything takes."""

import json

import numpy as np
import pytest
from command_line import invoke
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES

from mmq_tf.api.model_cost import measure
from mmq_tf.api.model_cost.measure import LiteRTCall
from mmq_tf.api.model_cost.source import _size_of, drawn_windows, open_source
from mmq_tf.cli.bench import command
from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import read_results
from mmq_tf.model.mmqnet import MMQNet

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

EEG = ("eegmat", "--set", 'front_end.modalities.eeg.channels=["Fp1", "Fp2"]')


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "cost.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmq_tf.api.model_cost.source.DRAWN", 200)
        done = invoke(command, "model", *EEG, "--rounds", "2", "--results", path)
    assert done.exit_code == 0, done.output
    return done.output, read_results(path), path


def test_every_model_stands_in_the_table_and_in_the_file(measured):
    output, results, path = measured
    models = {(row.method, row.condition) for row in results.rows}
    both = {
        (name, numbers)
        for name in ("mmqnet-nano", "zero_fill-nano", "eegnet")
        for numbers in ("int8", "float32")
    }
    assert models == both | {("forest", "scikit-learn")}
    for method, condition in models:
        assert f"{method} {condition}" in output
    assert "SIMULATED" in output
    assert results.simulated
    assert "SIMULATED" in path.with_suffix(".md").read_text()
    assert json.loads(path.read_text())["name"] == "cost"


def test_the_numbers_are_counted_and_ours_is_the_measure(measured):
    _, results, _ = measured
    value = {(row.method, row.condition, row.metric): row.mean for row in results.rows}
    assert value["mmqnet-nano", "int8", "latency_ratio"] == 1.0
    samples = 10 * 128
    by_hand = (
        2 * samples * 8 * 64 + samples * 16 * 2 + 2 * (samples // 4) * 16 * 16 + 16 * (samples // 32) * 2
    )
    assert value["eegnet", "int8", "macs"] == value["eegnet", "float32", "macs"] == by_hand
    assert value["mmqnet-nano", "int8", "macs"] == value["mmqnet-nano", "float32", "macs"] > 0
    for name in ("mmqnet-nano", "zero_fill-nano"):
        assert value[name, "int8", "bytes"] < value[name, "float32", "bytes"]
        assert value[name, "int8", "arena_bytes"] < 40_000
    assert value["forest", "scikit-learn", "bytes"] > 100_000
    assert value["forest", "scikit-learn", "macs"] is None
    assert any(
        "filtering and decimating to 128 Hz before it are not counted" in note for note in results.notes
    )


def network(seed=0):
    front_end = load_config("simulated").front_end
    sizes = {name: part.stop - part.start for name, part in front_end.feature_slices.items()}
    net = MMQNet.from_size("nano", front_end.tokens, sizes, {"stress": 2}, seed=seed)
    return deployed_model(net, front_end.tokens, front_end.n_features, len(sizes))


@pytest.fixture(scope="module")
def nano():
    """An MMQ-Net of the simulated preset, its int8 and float32 files, and the inputs of one decision."""
    features, presence, _ = drawn_windows(load_config("simulated").feature_layout, 2)
    deployed, windows = network(), calibration_windows(features, presence, 16)
    files = {name: convert(deployed, windows, RECIPES[name]) for name in ("int8", "float32")}
    return deployed, files, {"features": features[:1], "presence": presence[:1].astype("float32")}


def test_a_call_gives_the_networks_logits(nano):
    deployed, files, inputs = nano
    (found,) = LiteRTCall(files["float32"], inputs)()
    expected = deployed([inputs["features"], inputs["presence"]])["stress"]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    (coded,) = LiteRTCall(files["int8"], inputs)()
    assert coded.dtype == np.int8


def test_a_file_that_computes_something_else_is_not_timed(nano):
    deployed, files, inputs = nano
    model = measure._Model("mmqnet-nano", "float32", files["float32"], inputs)
    measure._check_same(model, deployed)
    with pytest.raises(MMQError, match="mmqnet-nano: LiteRT's logits differ .* nothing was timed"):
        measure._check_same(model, network(seed=9))


def test_a_bundles_size_is_read_from_its_network(nano, tmp_path):
    assert _size_of(nano[1]["float32"], 2, tmp_path) == "nano"
    with pytest.raises(MMQError, match="none of the sizes nano, small, base"):
        _size_of(nano[1]["float32"], 3, tmp_path)


def test_drawn_windows_repeat_and_hold_zeros_where_absent():
    front_end = load_config("simulated").front_end
    first, again = (drawn_windows(front_end.feature_layout, 2) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    features, presence, labels = first
    part = front_end.feature_slices["eda"]
    absent = ~presence[..., front_end.modality_names.index("eda")]
    assert absent.any()
    assert not features[absent][:, part].any()
    assert set(labels) == {0, 1}


def test_what_is_no_source_is_refused(tiny_bundle):
    with pytest.raises(MMQError, match="neither a preset"):
        open_source("nothing-here", None, ())
    with pytest.raises(MMQError, match="none of the sizes"):
        open_source(str(tiny_bundle), None, ())
    with pytest.raises(MMQError, match="is a bundle: --data and --set belong to"):
        open_source(str(tiny_bundle), None, ("training.epochs=2",))
    done = invoke(command, "model", "--results", "cost.txt")
    assert isinstance(done.exception, MMQError)


def test_of_a_bundle_the_whole_is_told_first(monkeypatch, tmp_path):
    from mmq_bridge.targets.whole_cost import BundleCost, KnownCost, WholeCost

    from mmq_tf import pretrained
    from mmq_tf.api.model_cost.measure import ModelCost

    whole = WholeCost(5.0, 2, 3e5, 2.4e6, 2.3e6, 9e4, 4e4, 80_000, 35_000, 14_000, 600)
    costs = [ModelCost("mmqnet-nano", "int8", 1, 1, 1, np.ones(2))]
    monkeypatch.setattr(measure, "measure_models", lambda *given: costs)
    for counted, uncounted in ((whole, ""), (None, "gcc not found")):
        cost = BundleCost(KnownCost(3748, 42800), counted, uncounted)
        monkeypatch.setattr("mmq_tf.api.model_cost.whole.whole_cost", lambda folder, cost=cost: cost)
        path = tmp_path / "cost.json"
        done = invoke(command, "model", pretrained.path("wrist-stress"), "--results", path)
        assert done.exit_code == 0, done.output
        assert "network in C" in done.output
        assert ("3,000,000" in done.output) == bool(counted)
        assert ("are not counted: gcc not found" in done.output) == bool(uncounted)
        row = read_results(path).row("whole, an hour of signal", "M4F -O2", "instructions")
        assert (row.mean if row else None) == (1_080_000_000 if counted else None)
