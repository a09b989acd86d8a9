# SPDX-License-Identifier: Apache-2.0
"""Every command, program and table of firmware_bridge/README.md, tried on a small bundle."""

import importlib.util
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.bundle.example_run import find_compiler, parse_output
from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.decision.replay import replay
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.default_settings import modality_defaults
from mmq_bridge.front_end.modality_constraints import CONTEXTS
from mmq_bridge.front_end.settings import ModalityFrontEnd
from mmq_bridge.source_files import SOURCES
from mmq_bridge.targets.cost_table import cost_table, fill

README = SOURCES / "README.md"
TEXT = README.read_text(encoding="utf-8")
STRICT = ("-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-O1")
STAND_INS = Path(__file__).parent / "readme"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def named(language):
    """Return code blocks by the file name in their first line."""
    found = {}
    for block in blocks(language):
        match = re.match(r"(?:/\* |// )(\w+\.\w+)", block)
        assert match, block[:60]
        found[match[1]] = block
    return found


def lay_out(folder):
    """Write the guide's programs beside what stands in for the things they talk to."""
    shutil.copytree(STAND_INS, folder, dirs_exist_ok=True)
    for name, content in {**named("c"), **named("cpp")}.items():
        (folder / name).write_text(content)


@pytest.fixture
def bundle(tiny_bundle, tmp_path):
    folder = tmp_path / "watch"
    shutil.copytree(tiny_bundle, folder)
    return folder


@pytest.fixture
def golden(tiny):
    """The golden samples as their replay pushes them, in quarters of a second."""

    def pushes(folder):
        index = json.loads((folder / "golden/golden.json").read_text())
        names = re.findall(r"MMQ_SPEC_(\w+) = ", (folder / "mmq_bridge/mmq_spec.h").read_text())
        signals = {
            name: tiny.GoldenSignal(
                np.load(folder / f"golden/{name}_samples.npy"), s["sampling_rate_hz"], s["start_s"]
            )
            for name, s in index["signals"].items()
        }
        for modality, samples, time_s in replay(signals, 0.25):
            yield names.index(modality.upper()), samples, time_s

    return pushes


@pytest.fixture
def records(golden):
    """The same as bytes: modality, frames, floats, time, now, samples."""

    def encode(folder):
        parts = []
        for modality, samples, time_s in golden(folder):
            head = struct.pack("<IIIdd", modality, samples.shape[1], samples.size, time_s, time_s + 0.25)
            parts.append(head + np.ascontiguousarray(samples, "<f4").tobytes())
        return b"".join(parts)

    return encode


def shorten_enrolment(folder):
    """Make the spec enrol as briefly as the golden replay does."""
    path, index = folder / "mmq_bridge/mmq_spec.h", json.loads((folder / "golden/golden.json").read_text())
    text, count = re.subn(
        r"\d+, /\* enrolment_tokens", f"{index['enrolment_tokens']}, /* enrolment_tokens", path.read_text()
    )
    assert count == 1
    path.write_text(text)


def compile_all(compiler, folder, standard, units, *flags):
    includes = [f"-I{folder}", f"-I{folder}/mmq_bridge", f"-I{folder}/mmq_bridge/include"]
    command = [compiler, f"-std={standard}", *STRICT, *flags, *includes, *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[:2000]


def core_objects(folder):
    compiler = find_compiler()
    assert compiler
    sources = sorted((folder / "mmq_bridge/src").glob("*.c"))
    compile_all(compiler, folder, "c99", [*sources, folder / "mmq_bridge/mmq_model.c"], "-c", "-fPIC")
    return sorted(folder.glob("*.o"))


@pytest.mark.usefixtures("board")
@pytest.mark.skipif(not find_compiler(), reason="no C compiler")
def test_the_commands_print_the_same_decision_here_and_on_the_board(bundle, tmp_path):
    last = []
    for block in blocks("sh"):
        command = block.replace("/tmp/", f"{tmp_path}/")
        done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, cwd=bundle, check=True)
        last.append(done.stdout.splitlines()[-1])
    assert len(last) == 2
    assert last[0] == last[1]
    before = "token 0 | 1 | 3f800000\nwindow 1 | 1 | 1\n"
    decisions = parse_output(before + last[0]).decisions
    assert decisions is not None
    assert decisions.tobytes() == np.load(bundle / "golden/decisions.npy")[-1:].tobytes()


def test_the_shortest_program_is_the_bundles_own(bundle):
    licence, _, code = (bundle / "mmq_bridge/wearable.c").read_text().partition("\n")
    assert "Apache-2.0" in licence
    assert named("c")["wearable.c"] == code


@pytest.mark.skipif(not find_compiler(), reason="no C compiler")
def test_the_shortest_program_makes_the_golden_decisions(bundle, records):
    shorten_enrolment(bundle)
    lay_out(bundle)
    network = [bundle / "mmq_bridge/mmq_network.c", *(bundle / "mmq_bridge/src/network").glob("*.c")]
    units = ["wearable.c", "decide_driver.c", *network, *core_objects(bundle), "-lm"]
    compile_all(find_compiler(), bundle, "c99", units, "-o", "decide")
    done = subprocess.run([bundle / "decide"], input=records(bundle), capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stdout == np.load(bundle / "golden/decisions.npy").tobytes()


@pytest.mark.skipif(not (find_compiler() and shutil.which("g++")), reason="no C++ compiler")
def test_the_worked_example_gives_the_model_the_golden_windows(bundle, records):
    """TFLite Micro is stood in for by a few lines: its sources cannot be had from a registry."""
    shorten_enrolment(bundle)
    lay_out(bundle)
    objects = core_objects(bundle)
    units = ["wearable.cpp", "driver.cpp", *objects]
    compile_all("g++", bundle, "c++17", units, "-o", "wearable", "-lm")
    done = subprocess.run([bundle / "wearable"], input=records(bundle), capture_output=True, check=False)
    assert done.returncode == 0
    wanted = [np.load(bundle / f"golden/window_{part}_i8.npy") for part in ("features", "presence")]
    rows = np.concatenate([part.reshape(len(part), -1) for part in wanted], axis=1)
    assert done.stdout == rows.tobytes()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-g++"), reason="no arm-none-eabi-g++")
def test_the_worked_example_compiles_for_the_microcontroller(bundle):
    lay_out(bundle)
    flags = re.search(r"\| Cortex-M4F \| `(.*?)`", TEXT)
    assert flags
    compile_all("arm-none-eabi-g++", bundle, "c++14", ["wearable.cpp"], "-c", *flags[1].split())
    compile_all("arm-none-eabi-gcc", bundle, "c99", ["ppg.c"], "-c", *flags[1].split())


def test_the_python_example_runs(bundle, golden, monkeypatch, capsys):
    monkeypatch.chdir(bundle.parent)
    names = ["ppg", "eda", "temp", "acc"]
    sensors = [(names[index], samples, time_s) for index, samples, time_s in golden(bundle)]
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {"sensors": lambda: sensors})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[0] == "5.0 enrolling (1 of 12 tokens measured) {}"


def table_after(title):
    rows = TEXT.partition(title)[2].partition("\n\n")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert set(cells[1][0]) == {"-"}
    return [cells[0], *cells[2:]]


RATES = {
    "eeg": 128,
    "eog": 128,
    "emg": 1000,
    "ecg": 250,
    "ppg": 64,
    "eda": 4,
    "temp": 4,
    "acc": 32,
    "resp": 32,
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", RATES)
def test_the_table_of_rules_holds_the_defaults(kind, version):
    head, *rows = table_after("Defaults of front end versions 2 and 3")
    assert set(head[1:]) == set(RATES)
    settings = modality_defaults(kind, RATES[kind], version)
    for name, *cells in rows:
        key, cell = name.split("`")[1], cells[head.index(kind) - 1]
        value = settings.get(key, ModalityFrontEnd.model_fields[key].default)
        if key == "context_s" and kind not in CONTEXTS:
            value = None
        off = value is None or (value == 0 and key.startswith(("max_", "min_")))
        assert cell == "-" if off else cell == value or float(cell) == value, key


def test_every_rule_of_the_core_is_in_the_table_of_reasons():
    _, *rows = table_after("the bits are `MMQ_WHY_*`")
    assert [row[0].strip("`") for row in rows] == [reason.name for reason in Reason]
    settings = {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}
    assert settings <= set(ModalityFrontEnd.model_fields)


def test_names_in_the_guide_exist(tiny_bundle):
    source = "".join(
        (tiny_bundle / "mmq_bridge" / name).read_text()
        for name in (
            "include/mmq_bridge.h",
            "include/mmq_decision.h",
            "include/mmq_inference.h",
            "mmq_network.h",
            "include/mmq_personal.h",
            "include/mmq_sensor_queue.h",
            "mmq_rules.h",
            "mmq_spec.h",
            "mmq_model.h",
            "mmq_ops.h",
            "src/mmq_internal.h",
            "mmq_device.c",
        )
    )
    used = set(re.findall(r"\b(?:mmq|MMQ)_\w+\b", TEXT)) - {
        "mmq_bridge",
        "mmq_example",
        "mmq_golden",
        "MMQ_LATE",
        "mmq_head",
    }
    prefixes = {"MMQ_INPUT_", "MMQ_WHY_"}
    files = {path.stem for path in tiny_bundle.rglob("mmq_*")}
    assert {name for name in used if name not in source and name not in files} <= prefixes


def test_the_cost_table_is_what_was_measured():
    results = Path(__file__).resolve().parents[2] / "results/core_cost.json"
    if not results.is_file():
        pytest.skip("results/core_cost.json is not there")
    table = cost_table(json.loads(results.read_text()))
    assert fill(TEXT, table) == TEXT, "run python -m mmq_bridge.targets.cost_table"
    assert "wrist set" in table


def test_a_result_without_a_number_and_a_text_without_marks_are_named():
    rows = [{"method": "ppg", "condition": "state, 32-bit", "metric": "arena_bytes", "mean": 1.0}]
    with pytest.raises(BridgeError, match="expected instructions of ppg, second -Os"):
        cost_table({"rows": rows})
    with pytest.raises(BridgeError, match="marks of the cost table"):
        fill("nothing", "")


def test_the_guide_travels_with_the_bundle(tiny_bundle):
    assert (tiny_bundle / "mmq_bridge/README.md").read_text() == TEXT
    assert "mmq_bridge/README.md" in (tiny_bundle / "README.md").read_text()


def test_the_example_of_the_bundles_own_readme_names_what_exists(tiny_bundle):
    assert importlib.util.find_spec("mmq_bridge.targets.cost_table")
    (example,) = re.findall(r"```c\n(.*?)```", (tiny_bundle / "README.md").read_text(), re.S)
    program = (tiny_bundle / "mmq_bridge/wearable.c").read_text()
    called = set(re.findall(r"\bwearable_\w+", example))
    assert len(called) == 3
    assert all(f" {name}(" in program for name in called)
