# SPDX-License-Identifier: Apache-2.0
"""The generated header compiles, and a C program using it gives the same bits as ctypes."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation
from mmq_bridge.source_files import SOURCES

CORE = SOURCES / "core"
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off"]
MAIN = r"""
#include "mmq_spec.h"
#include <stdio.h>
static uint64_t mem[MMQ_SPEC_BYTES / 8 + 1];
static float samples[1 << 16], features[MMQ_SPEC_FEATURES], window[MMQ_SPEC_TOKENS * MMQ_SPEC_FEATURES];
static float window_presence[MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES];
static int8_t small[MMQ_SPEC_TOKENS * MMQ_SPEC_FEATURES];
static int8_t small_presence[MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES];
int main(void) {
    mmq_bridge_t *bridge;
    uint8_t presence[MMQ_SPEC_MODALITIES];
    uint32_t head[2];
    double time_s;
    FILE *out = stdout;
    if (mmq_bridge_init(mem, sizeof mem, &mmq_spec, &bridge) != MMQ_OK) return 1;
    while (fread(head, sizeof head, 1, stdin) == 1 && fread(&time_s, sizeof time_s, 1, stdin) == 1) {
        const uint32_t channels = mmq_spec.modalities[head[0]].channels;
        if (fread(samples, sizeof(float), channels * head[1], stdin) != channels * head[1]) return 2;
        if (mmq_bridge_push(bridge, head[0], samples, head[1], time_s) != MMQ_OK) return 3;
        while (mmq_bridge_token(bridge, features, presence, NULL) == MMQ_OK) {
            fwrite(features, sizeof features, 1, out);
            fwrite(presence, sizeof presence, 1, out);
        }
    }
    if (mmq_bridge_window(bridge, window, window_presence) != MMQ_OK) return 4;
    fwrite(window, sizeof window, 1, out);
    fwrite(window_presence, sizeof window_presence, 1, out);
    if (mmq_bridge_window_i8(bridge, small, small_presence) != MMQ_OK) return 5;
    fwrite(small, sizeof small, 1, out);
    fwrite(small_presence, sizeof small_presence, 1, out);
    return 0;
}
"""


def chunks(front_end: FrontEnd, seconds: int, seed: int) -> list[tuple[str, np.ndarray, float]]:
    rng = np.random.default_rng(seed)
    out = []
    for second in range(seconds):
        for name, modality in front_end.modalities.items():
            shape = (len(modality.channels), int(modality.sampling_rate_hz))
            offset = {"eda": 2.0, "temp": 33.0}.get(name, 0.0)
            out.append((name, (offset + rng.standard_normal(shape) * 0.3).astype(np.float32), float(second)))
    return out


def every_modality() -> FrontEnd:
    """All nine kinds, several channels, a notch and a spatial matrix."""
    matrix = ((1.0, -0.5, -0.5), (-0.25, 1.0, 0.1), (0.0, 1 / 3, -1 / 7))
    parts = {
        "ppg": {"sampling_rate_hz": 64, "channels": ("red", "green"), "min_skewness": -2.5},
        "eda": {"sampling_rate_hz": 64},
        "temp": {"sampling_rate_hz": 4},
        "acc": {"sampling_rate_hz": 32, "channels": ("ax", "ay", "az", "bx", "by", "bz")},
        "eeg": {
            "sampling_rate_hz": 256,
            "channels": ("F3", "Fz", "F4"),
            "notch_hz": 50,
            "spatial": {"method": "made up", "outputs": ("a", "b", "c"), "matrix": matrix},
        },
        "ecg": {"sampling_rate_hz": 250, "notch_hz": 60},
        "eog": {"sampling_rate_hz": 128, "channels": tuple(f"c{i}" for i in range(9))},
        "emg": {"sampling_rate_hz": 1000, "channels": ("zyg", "cor")},
        "resp": {"sampling_rate_hz": 50},
    }
    return FrontEnd.model_validate({"modalities": parts, "tokens": 3})


@pytest.fixture(scope="module")
def core_objects(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The core compiled once, or a skip without a compiler."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler named cc")
    folder = tmp_path_factory.mktemp("core")
    sources = sorted(str(p) for p in (CORE / "src").glob("*.c"))
    command = ["cc", *FLAGS, f"-I{CORE / 'include'}", "-c", *sources]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return sorted(str(p) for p in folder.glob("*.o"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["population", "enrolment", "running"])
def test_c_program_gives_the_bits_of_ctypes(tmp_path: Path, core_objects: list[str], mode: str) -> None:
    front_end = every_modality()
    rng = np.random.default_rng(1)
    count = front_end.n_features
    front_end = front_end.with_normalisation(
        Normalisation(
            mode=mode,  # type: ignore[arg-type]
            mean=tuple(rng.standard_normal(count)),
            std=tuple(rng.uniform(0.5, 2, count)),
            enrolment_s=10,
        )
    ).with_quantisation(Quantisation(scale=0.037, zero_point=-3))
    (tmp_path / "mmq_spec.h").write_text(spec_header(front_end))
    (tmp_path / "main.c").write_text(MAIN)
    sources = sorted(str(p) for p in (CORE / "src").glob("*.c"))
    includes = [f"-I{CORE / 'include'}", f"-I{tmp_path}"]
    command = [
        "cc",
        *FLAGS,
        *includes,
        str(tmp_path / "main.c"),
        *sources,
        "-o",
        str(tmp_path / "a.out"),
        "-lm",
    ]
    subprocess.run(command, check=True, capture_output=True)

    bridge, fed, wanted = Bridge(front_end), b"", b""
    for name, samples, time_s in chunks(front_end, 31, seed=2):
        head = np.array([front_end.modality_names.index(name), samples.shape[1]], np.uint32)
        fed += head.tobytes() + np.float64(time_s).tobytes() + samples.tobytes()
        bridge.push(name, samples, time_s)
        while (token := bridge.pop_token()) is not None:
            wanted += token[0].tobytes() + token[1].astype(np.uint8).tobytes()
    for array in (*bridge.window(), *bridge.window_i8()):
        wanted += array.tobytes()
    done = subprocess.run([str(tmp_path / "a.out")], input=fed, check=True, capture_output=True)
    assert len(done.stdout) == len(wanted)
    assert done.stdout == wanted


def test_header_names_every_modality_and_size() -> None:
    front_end = FrontEnd.wearable({"ppg": 64, "acc": 32})
    text = spec_header(front_end)
    assert "MMQ_SPEC_PPG = 0" in text
    assert "MMQ_SPEC_ACC = 1" in text
    assert f"#define MMQ_SPEC_FEATURES {front_end.n_features}\n" in text
    assert "#define MMQ_SPEC_SAVED_BYTES 24 " in text
    assert front_end.digest() in text
    assert spec_header(front_end) == text


def test_a_rule_that_is_off_is_a_number_c_can_write() -> None:
    text = spec_header(FrontEnd.wearable({"ppg": 64}))
    assert " -3.40282347e+38f, /* min_skewness */" in text
    assert "inf" not in text.lower()
    assert " -0.5f, /* min_skewness */" in spec_header(
        FrontEnd.model_validate({"modalities": {"ppg": {"sampling_rate_hz": 64, "min_skewness": -0.5}}})
    )
