# SPDX-License-Identifier: Apache-2.0
import errno
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.bundle import c_model, microcontroller, verify
from mmq_bridge.bundle.deployable_ops import check_ops
from mmq_bridge.bundle.example_run import find_compiler, run_example
from mmq_bridge.bundle.golden import GoldenSignal, cut_golden, golden_front_end, npy_bytes, read_npy
from mmq_bridge.bundle.sources import array_bytes
from mmq_bridge.bundle.verify import verify_bundle
from mmq_bridge.decision.manifest import FineTuningFacts, Manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_export import bundle
from mmq_export import quantisation_gate as gate
from mmq_export.errors import ExportError
from mmq_export.folder import BUNDLE

from mmq_tf.api.gate_rules import GATE_RULES


def listing(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_the_folder_is_complete_and_the_manifest_names_every_file(tiny_bundle):
    assert listing(tiny_bundle) == sorted(
        [
            "MODEL_CARD.md", "README.md", "android", "frontend.json", "golden", "ios", "manifest.json",
            "mmq_bridge", "mmq_network.bin", "model_float32.tflite", "model_int8.tflite",
            "model_int8_float_io.tflite",
            "report.html",
        ]
    )  # fmt: skip
    manifest = Manifest.load(tiny_bundle)
    found = {p.relative_to(tiny_bundle).as_posix() for p in tiny_bundle.rglob("*") if p.is_file()}
    assert found == {*manifest.files, "manifest.json"}
    assert {
        "mmq_spec.h",
        "mmq_rules.h",
        "mmq_model.c",
        "mmq_model.h",
        "mmq_ops.h",
        "mmq_network.c",
        "mmq_network.h",
        "src/network/dense.c",
        "main.c",
        "CMakeLists.txt",
    } <= {name.removeprefix("mmq_bridge/") for name in manifest.files}
    for name in manifest.files:
        manifest.read(tiny_bundle, name)


def test_the_manifest_says_what_was_measured(tiny_bundle):
    manifest = Manifest.load(tiny_bundle)
    assert manifest.simulated
    assert manifest.data.licence == "CC0"
    assert manifest.train_subjects == ("S01", "S02")
    assert manifest.model.int8_bytes == (tiny_bundle / "model_int8.tflite").stat().st_size
    assert manifest.model.ops == {"ADD": 1, "FULLY_CONNECTED": 3, "RESHAPE": 3}
    assert manifest.model.macs == 4 * 26 * 8 + 4 * 4 * 8 + 8 * 2
    arenas = manifest.model.arena_bytes, manifest.model.float32_arena_bytes
    assert 500 < (arenas[0] or 0) < (arenas[1] or 0) < 20_000
    assert manifest.model.judged_windows >= gate.MIN_JUDGED
    assert "tensorflow" in manifest.versions


def test_card_and_readme_carry_the_facts_and_the_marks(tiny_bundle):
    card = (tiny_bundle / "MODEL_CARD.md").read_text()
    readme = (tiny_bundle / "README.md").read_text()
    assert "SIMULATED" in card
    assert "A tiny \\| simulated &lt;set>" in card  # a title cannot break the table
    assert "our reading of MMQ-Net" in card
    assert "| mmqnet | full | macro\\_f1 | 0.800 (0.700 to 0.900) |" in card
    assert "LiteRT 2.1.3 or newer" in readme
    assert "TensorFlow 2.21" in readme
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_the_array_is_the_model_and_the_ops_are_its_ops(tiny_bundle):
    text = (tiny_bundle / "mmq_bridge/mmq_model.c").read_bytes()
    assert array_bytes(text) == (tiny_bundle / "model_int8.tflite").read_bytes()
    ops = (tiny_bundle / "mmq_bridge/mmq_ops.h").read_text()
    assert re.findall(r"\.Add(\w+)\(\)", ops) == ["Add", "FullyConnected", "Reshape"]
    assert "#define MMQ_OP_KINDS 3" in ops


def test_the_example_compiles_without_a_warning_and_prints_the_golden_bits(tiny_bundle):
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C compiler")

    def part(name):
        root = tiny_bundle / name
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    sources = part("mmq_bridge")
    sources["src/mmq_model_unit.c"] = sources["mmq_model.c"]  # compile the array too
    printed = run_example(sources, part("golden"), compiler, ("-Werror", "-pedantic"))
    golden = tiny_bundle / "golden"
    np.testing.assert_array_equal(
        printed.features.view(np.uint32), np.load(golden / "features.npy").view(np.uint32)
    )
    np.testing.assert_array_equal(printed.presence, np.load(golden / "presence.npy"))
    wanted = np.load(golden / "window_features_i8.npy")
    np.testing.assert_array_equal(printed.window_features_i8, wanted.reshape(len(wanted), -1))
    np.testing.assert_array_equal(printed.window_tokens, range(6, 13))


def test_c_names_and_texts_cannot_be_broken_by_task_or_class_names(tiny_bundle):
    from mmq_bridge.decision.manifest import DecisionSettings
    from mmq_bridge.decision.runtime import TFLiteModel

    content = (tiny_bundle / "model_int8.tflite").read_bytes()
    model = TFLiteModel(content)
    model.output_details = {'a "*/b': model.output_details["stress"]}
    model.output_positions = {'a "*/b': 0}
    settings = DecisionSettings(tasks={'a "*/b': ('x"', "y\\")})
    about = c_model.ModelAbout('na"me', "1", "CC */ BY", simulated=True)
    header = c_model.model_header(content, model, settings, 1, about)
    assert '#define MMQ_MODEL_NAME "na_me"\n' in header
    assert '#define MMQ_MODEL_LICENCE "CC __ BY" /*' in header
    assert f'#define MMQ_MODEL_SHA256 "{hashlib.sha256(content).hexdigest()}"\n' in header
    assert "#define MMQ_MODEL_SIMULATED 1 " in header
    assert "MMQ_OUTPUT_A_B 0" in header
    assert '{"x_", "y_"}' in header
    assert "Task a ___b:" in header
    rules = c_model.rules_header(model, settings)
    assert 'mmq_task_names[MMQ_RULES_TASKS] = {"a ___b"}' in rules
    assert 'mmq_class_names[MMQ_RULES_OUTPUTS] = {"x_", "y_"}' in rules
    assert "/* a ___b */" in rules


@pytest.mark.parametrize("mode", ["population", "running"])
def test_golden_replay_keeps_other_normalisations_whole(tiny, mode):
    end = tiny.front_end(mode)
    assert golden_front_end(end, 12) == end


@pytest.mark.parametrize(("version", "half_s"), [(2, 20.0), (3, 10.0)])
def test_golden_enrolment_is_shortened_until_windows_fit(tiny, version, half_s):
    """To half of what is left where not every token may be evidence."""
    newest = tiny.front_end("enrolment", 600)
    end = type(newest).model_validate({**dict(newest), "frontend_version": version})
    for tokens, seconds in ((12, half_s), (6, 5.0), (1000, 600.0)):
        shortened = golden_front_end(end, tokens).normalisation
        assert shortened is not None
        assert shortened.enrolment_s == seconds
    with pytest.raises(BridgeError, match="at least 5 tokens of 5 s, got 4"):
        golden_front_end(end, 4)


def test_golden_samples_stay_small_but_hold_a_window():
    channels = tuple(f"C{i}" for i in range(32))
    end = FrontEnd.wearable({"eeg": 500}, {"eeg": channels}, token_s=2.0, tokens=5)
    cut = cut_golden({"eeg": GoldenSignal(np.zeros((32, 500 * 100), np.float32), 500.0, 0.0)}, end)
    assert 7 * 2.0 <= cut["eeg"].samples.shape[1] / 500 <= 17
    with pytest.raises(BridgeError, match="expected any of eeg"):
        cut_golden({"ppg": GoldenSignal(np.zeros((1, 5), np.float32), 64.0, 0.0)}, end)


def test_npy_round_trip_and_lies():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = npy_bytes(array)
    np.testing.assert_array_equal(read_npy(content, "x.npy"), array)
    for broken in (
        content[:-1],
        content[:40],
        content.replace(b"(2, 3)", b"(9, 3)"),
        content.replace(b"(2, 3)", b"((2, 3"),
        b"",
        content.replace(b"<f4", b"|O8"),
    ):
        with pytest.raises(BridgeError, match=r"x\.npy"):
            read_npy(broken, "x.npy")


class _Fake:
    """A model whose logits follow the first feature, with a share of the windows turned round."""

    def __init__(self, wrong):
        self.wrong = wrong

    def predict_many(self, features, presence):
        logits = np.stack([-features[:, 0, 0], features[:, 0, 0]], axis=1)
        logits[: int(len(logits) * self.wrong)] *= -1
        return {"stress": logits}


def test_the_gate_measures_the_loss_in_points_and_refuses_with_numbers(tiny):
    found = tiny.windows(tiny.front_end(), 100)
    labels = (found.features[:, 0, 0] > 0).astype(np.int8)[:, None]
    mix = gate.missing_mix(found.features, found.presence, labels, GATE_RULES)
    rows = gate.compare(_Fake(0.0), _Fake(0.1), mix, ("stress",), GATE_RULES)
    assert [row.condition for row in rows] == ["full", "cells hidden", "modalities gone", "all"]
    assert rows[-1].float32_macro_f1 == 1.0
    assert rows[-1].agreement == pytest.approx(0.9, abs=0.02)
    assert rows[-1].drop_points == pytest.approx(10, abs=2)
    with pytest.raises(ExportError, match=r"int8 loses \d+\.\d\d points .*100\.00 to .* 0\.5 are allowed"):
        gate.require(rows, 0.5)
    assert gate.require(rows, 11).windows == rows[-1].windows
    assert gate.compare(_Fake(0.1), _Fake(0.0), mix, ("stress",), GATE_RULES)[-1].drop_points < 0


def test_the_mix_hides_cells_and_modalities_and_is_the_same_each_time(tiny):
    found = tiny.windows(tiny.front_end(), 60)
    everything = np.ones_like(found.presence)
    mix = gate.missing_mix(found.features, everything, found.labels, GATE_RULES)
    again = gate.missing_mix(found.features, everything, found.labels, GATE_RULES)
    np.testing.assert_array_equal(mix.presence, again.presence)
    by = [mix.presence[mix.condition == name].astype(bool) for name in GATE_RULES.conditions]
    assert by[0].all()
    assert len(by[0]) == len(found.labels) < len(by[1]) == len(by[2])  # complete ones say the same each time
    assert 0.3 < by[1].mean() < 0.75
    gone = by[2]
    assert (gone.all(1) | ~gone.any(1)).all()
    assert gone.any((1, 2)).all()
    assert not gone.all((1, 2)).all()


def test_unlabelled_windows_do_not_count(tiny):
    found = tiny.windows(tiny.front_end(), 30)
    found.labels[:10] = -1
    mix = gate.missing_mix(found.features, found.presence, found.labels, GATE_RULES)
    assert (mix.labels >= 0).all()
    found.labels[:] = -1
    with pytest.raises(ExportError, match="labelled"):
        gate.missing_mix(found.features, found.presence, found.labels, GATE_RULES)


@pytest.mark.slow
def test_a_model_that_loses_too_much_leaves_nothing_behind(tiny, tmp_path, monkeypatch):
    shown = []
    bad = [gate.GateRow("all", 100, 0.9, 0.8, 0.9)]
    models = _quick_models(tiny)
    monkeypatch.setattr(bundle, "_convert", lambda deployed, calibration: models)
    monkeypatch.setattr(gate, "compare", lambda *args: bad)
    with pytest.raises(ExportError, match="int8 loses 10.00 points"):
        tiny.write(tmp_path / "out", on_gate=shown.append, max_drop=0.5)
    assert shown == [bad]
    assert listing(tmp_path) == []


_MODELS = {}


def _quick_models(tiny):
    from mmq_bridge.decision.runtime import TFLiteModel

    if not _MODELS:
        found = tiny.windows(tiny.front_end())
        _MODELS["made"] = bundle._convert(
            tiny.network(tiny.front_end()), bundle.Windows(found.features, found.presence, found.labels)
        )
    made = _MODELS["made"]
    return bundle._Models(
        made.content, TFLiteModel(made.content["int8"]), TFLiteModel(made.content["float32"])
    )


@pytest.fixture
def quick(tiny, monkeypatch):
    """Write bundles without converting again."""
    models = _quick_models(tiny)
    monkeypatch.setattr(bundle, "_convert", lambda deployed, calibration: models)
    monkeypatch.setattr(tiny, "network", lambda fe: None)
    monkeypatch.setattr(bundle, "arena_if_there", lambda content: 1000)
    return tiny


def test_an_older_bundle_is_replaced_and_nothing_else(quick, tmp_path):
    out = tmp_path / "out"
    quick.write(out)
    (out / "README.md").write_text("older")
    quick.write(out)
    assert (out / "README.md").read_text() != "older"
    assert listing(tmp_path) == ["out"]
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("mine")
    with pytest.raises(ExportError, match="found other files; name another --out"):
        quick.write(other)
    assert listing(other) == ["chapter.txt"]
    with pytest.raises(ExportError, match="found a file"):
        quick.write(other / "chapter.txt")


def test_a_full_disk_leaves_the_older_bundle_and_no_pieces(quick, tmp_path, monkeypatch):
    out = tmp_path / "out"
    quick.write(out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    real, written = Path.write_bytes, []

    def full(path, content):
        written.append(path)
        if len(written) == 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ExportError, match=r"out: .*No space left on device.*nothing was changed"):
        quick.write(out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert listing(tmp_path) == ["out"]


def test_a_rename_that_fails_puts_the_older_bundle_back(tmp_path, monkeypatch):
    out = tmp_path / "out"
    BUNDLE.write(out, {"manifest.json": b"{}", "a/b.txt": b"old"})
    monkeypatch.setattr("mmq_bridge.atomic_files._exchange_call", lambda: None)
    real = os.rename

    def refuse(source, target):
        if ".part-" in str(source):
            raise OSError(errno.EIO, "input/output error")
        return real(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(ExportError, match="nothing was changed"):
        BUNDLE.write(out, {"manifest.json": b"{}", "a/b.txt": b"new"})
    assert (out / "a/b.txt").read_bytes() == b"old"
    assert listing(tmp_path) == ["out"]


def test_the_card_tells_what_was_found_elsewhere(quick, tmp_path):
    row = {
        "method": "mmqnet",
        "condition": "full",
        "metric": "auroc",
        "mean": 0.774,
        "low": 0.64,
        "high": 0.89,
    }
    table = {"data": "CogWear, 23 subjects", "split": "trained on Stress-Predict", "rows": [row]}
    quick.write(tmp_path / "b", card_facts={**quick.FACTS, "transfer": [table]})
    card = (tmp_path / "b/MODEL_CARD.md").read_text()
    told = card[card.index("## Elsewhere") : card.index("## Limits")]
    assert "CogWear, 23 subjects; trained on Stress-Predict." in told
    assert "| mmqnet | auroc | 0.774 (0.640 to 0.890) |" in told
    quick.write(tmp_path / "b")
    assert "Elsewhere" not in (tmp_path / "b/MODEL_CARD.md").read_text()


def test_without_tflite_micro_the_arena_is_not_known_and_all_says_so(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(microcontroller, "micro_there", lambda: False)
    monkeypatch.setattr(verify, "micro_there", lambda: False)
    monkeypatch.setattr(bundle, "arena_if_there", microcontroller.arena_if_there)
    quick.write(tmp_path / "b")
    manifest = Manifest.load(tmp_path / "b")
    assert (manifest.model.arena_bytes, manifest.model.float32_arena_bytes) == (None, None)
    header = (tmp_path / "b/mmq_bridge/mmq_model.h").read_text()
    assert "#define MMQ_ARENA_BYTES" not in header
    assert "MMQ_ARENA_BYTES, of TFLite Micro, was not measured" in header
    assert "not measured: tflite-micro was not installed" in (tmp_path / "b/MODEL_CARD.md").read_text()
    report = verify_bundle(tmp_path / "b")
    assert report.problems == []
    assert ("TFLite Micro", "skipped") in {(check.name, check.state) for check in report.checks}


def test_facts_that_are_missing_are_named(quick, tmp_path):
    facts = {key: value for key, value in quick.FACTS.items() if key != "data"}
    with pytest.raises(ExportError, match="licence"):
        quick.write(tmp_path / "out", card_facts=facts)
    with pytest.raises(BridgeError, match="decision: "):
        quick.write(tmp_path / "out", decision={})
    with pytest.raises(BridgeError, match="normalisation"):
        quick.write(tmp_path / "out", front_end=quick.front_end().with_normalisation(None))
    assert listing(tmp_path) == []


def test_an_operation_outside_the_list_is_refused(tiny):
    import keras
    from mmq_export.convert import convert
    from mmq_export.recipes import float32

    features = keras.Input((4, 26), batch_size=1, name="features")
    presence = keras.Input((4, 4), batch_size=1, name="presence")
    value = keras.ops.exp(features)
    flat = keras.layers.Concatenate()([keras.layers.Flatten()(value), keras.layers.Flatten()(presence)])
    model = keras.Model([features, presence], {"stress": keras.layers.Dense(2)(flat)})
    with pytest.raises(BridgeError, match="EXP"):
        check_ops(convert(model, None, float32()))


def test_bundles_made_twice_are_the_same_bytes(quick, tmp_path):
    first, second = quick.write(tmp_path / "a"), quick.write(tmp_path / "b")
    assert first == second
    assert json.loads((tmp_path / "a/manifest.json").read_text()) == json.loads(
        (tmp_path / "b/manifest.json").read_text()
    )
    shutil.rmtree(tmp_path / "a")


@pytest.mark.slow
def test_a_fine_tuned_net_is_judged_against_the_runs_own(tiny, tmp_path):
    facts = FineTuningFacts(epochs=1, pruned_share=0.5, zero_share=0.5)
    end = tiny.front_end()
    changed = tiny.network(end)  # agrees with itself in int8, but says the opposite of the run's
    changed.get_layer("logits").set_weights([-w for w in changed.get_layer("logits").get_weights()])
    with pytest.raises(ExportError, match="int8 loses"):
        tiny.write(tmp_path / "b", deployed=changed, reference=tiny.network(end), fine_tuning=facts)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_bundle_whose_enrolment_counts_evidence_computes_the_same_in_c(tiny, tmp_path):
    end = tiny.front_end()
    assert end.counts_evidence
    tiny.write(tmp_path / "b", front_end=end)
    report = verify_bundle(tmp_path / "b")
    assert report.ok, report.problems
    least = json.loads((tmp_path / "b/golden/golden.json").read_text())["enrolment_tokens"]
    assert 1 <= least < end.enrolment_tokens
    assert np.load(tmp_path / "b/golden/window_tokens.npy").size > 0
    assert " 3, /* enrolment_least */" in (tmp_path / "b/mmq_bridge/mmq_spec.h").read_text()
    by_time = type(end).model_validate({**dict(end), "frontend_version": 2})
    tiny.write(tmp_path / "older", front_end=by_time)
    assert verify_bundle(tmp_path / "older").ok
