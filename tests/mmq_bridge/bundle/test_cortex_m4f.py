# SPDX-License-Identifier: Apache-2.0
"""A bundle's example built from its folder alone with its own CMake files, for host and Cortex-M4F."""

import shutil
import subprocess

import numpy as np
import pytest
from fuzz.front_ends import front_ends
from mmq_bridge.bundle import cortex_m4f, golden, sources
from mmq_bridge.bundle.example_run import find_compiler, parse_output, run
from mmq_bridge.errors import BridgeError


@pytest.fixture(scope="module")
def alone(tiny_bundle, tmp_path_factory):
    """A copy of the bundle far from this repository."""
    folder = tmp_path_factory.mktemp("alone") / "watch"
    shutil.copytree(tiny_bundle, folder)
    return folder


@pytest.fixture(scope="module")
def elf(alone):
    return cortex_m4f.build(alone / "mmq_bridge", alone / "build-m4f")


def assert_golden(printed, folder):
    for name in ("features", "presence", "window_tokens", "window_features_i8", "window_presence_i8"):
        wanted = np.load(folder / f"golden/{name}.npy")
        got = getattr(printed, name).reshape(wanted.shape)
        assert got.tobytes() == wanted.tobytes(), name
    assert printed.decisions.tobytes() == np.load(folder / "golden/decisions.npy").tobytes()


@pytest.mark.slow
@pytest.mark.skipif(not (find_compiler() and shutil.which("cmake")), reason="no C compiler or no cmake")
def test_the_bundles_own_cmake_file_builds_for_this_machine(alone):
    folder = alone / "build-host"
    run(["cmake", "-S", str(alone / "mmq_bridge"), "-B", str(folder)], "does not configure")
    run(["cmake", "--build", str(folder)], "does not build")
    assert_golden(parse_output(run([str(folder / "mmq_example"), "golden"], "does not run", alone)), alone)


@pytest.mark.usefixtures("board")
def test_the_emulated_board_prints_the_bits_the_host_computed(alone, elf):
    printed = parse_output(cortex_m4f.run_emulated(elf, alone))
    assert len(printed.window_features_i8) >= 5
    assert_golden(printed, alone)


NOISE = {"eeg": 20.0, "eog": 20.0, "emg": 20.0, "temp": 0.01, "ecg": 0.02}


def made_up(front_end):
    """Signals of every modality, SIMULATED: noise on a level, with a pulse where one is looked for."""
    rng, signals = np.random.default_rng(0), {}
    for kind, part in front_end.modalities.items():
        time_s = np.arange(round(20 * part.sampling_rate_hz)) / part.sampling_rate_hz
        level = {
            "eda": 2.0,
            "temp": 33.0,
            "ppg": np.sin(2 * np.pi * 1.2 * time_s),
            "ecg": 1.0 * (1.2 * time_s % 1 < 0.05),
            "resp": np.sin(2 * np.pi * 0.25 * time_s),
        }.get(kind, 0.0)
        noise = NOISE.get(kind, 0.1) * rng.standard_normal((len(part.channels), time_s.size))
        samples = (level + noise).astype(np.float32)
        signals[kind] = golden.GoldenSignal(samples, float(part.sampling_rate_hz), 0.0)
    return signals


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("name", front_ends())
def test_all_nine_kinds_give_the_same_bits_on_the_board(name, alone):
    front_end = front_ends()[name]
    cut = golden.cut_golden(made_up(front_end), front_end)
    tokens = golden.replay_golden(front_end, cut)
    model = {name: (alone / "mmq_bridge" / name).read_bytes() for name in ("mmq_model.h", "mmq_model.c")}
    code = {**sources.core_sources(), **sources.generated_headers(front_end, front_end, cut), **model}
    files = golden.golden_files(front_end, cut, tokens, {}, golden.GoldenOrigin("made up", True))
    inside = {path.removeprefix("golden/"): content for path, content in files.items()}
    printed = cortex_m4f.run_example(code, inside)
    judged = printed.presence if front_end.frontend_version < 3 else printed.presence[1:].any(axis=1)
    assert judged.all()  # from version 3 on what a rule cannot judge yet is absent
    assert printed.decisions is None  # there is no network for these
    for part, wanted in vars(tokens).items():
        if part not in ("window_features", "window_presence"):
            got = getattr(printed, part)
            assert got.tobytes() == wanted.astype(got.dtype).tobytes(), part


@pytest.mark.usefixtures("board")
def test_the_program_is_a_hard_float_one_and_fits_into_its_memories(elf):
    facts = subprocess.run(
        ["arm-none-eabi-readelf", "-A", "-lW", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    assert "Tag_CPU_arch: v7E-M" in facts
    assert "Tag_ABI_VFP_args: VFP registers" in facts
    places = [line.split() for line in facts.splitlines() if line.strip().startswith("LOAD")]
    assert places
    for _, _, address, _, _, size, *_ in places:
        start = int(address, 16)
        base = 0x20000000 if start >= 0x20000000 else 0
        assert start + int(size, 16) <= base + 4 * 2**20


@pytest.mark.usefixtures("board")
def test_a_golden_folder_that_is_not_there_is_a_sentence(elf, tmp_path):
    with pytest.raises(
        BridgeError, match=r"does not run on mps2-an386 \(status 1: cannot read golden/ppg_samp"
    ):
        cortex_m4f.run_emulated(elf, tmp_path)


@pytest.mark.usefixtures("board")
def test_a_program_that_crashes_is_status_99(alone, tmp_path):
    source = tmp_path / "mmq_bridge"
    shutil.copytree(alone / "mmq_bridge", source)
    text = (source / "main.c").read_text()
    broken = text.replace(
        "    spec = mmq_spec;\n", "    *(volatile int *)0xF0000000u = 1;\n    spec = mmq_spec;\n"
    )
    assert broken != text
    (source / "main.c").write_text(broken)
    with pytest.raises(BridgeError, match="status 99: fault"):
        cortex_m4f.run_emulated(cortex_m4f.build(source, tmp_path / "build"), alone)


@pytest.mark.usefixtures("board")
def test_code_that_does_not_build_is_a_sentence(alone, tmp_path):
    source = tmp_path / "mmq_bridge"
    shutil.copytree(alone / "mmq_bridge", source)
    (source / "main.c").write_text("int main(void) { return surprise; }\n")
    with pytest.raises(BridgeError, match="does not build for a Cortex-M4F .*surprise"):
        cortex_m4f.build(source, tmp_path / "build")


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("cmake", "ninja", "make") else name)
    monkeypatch.setattr(cortex_m4f, "_has_newlib", lambda: False)
    assert cortex_m4f.missing_tools() == ["cmake", "ninja", "newlib for arm-none-eabi"]
