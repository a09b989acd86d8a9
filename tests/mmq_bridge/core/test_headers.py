# SPDX-License-Identifier: Apache-2.0
"""Every header a program includes is valid C99 and C++17 by itself, to the letter."""

import shutil
import subprocess
from pathlib import Path

import pytest
from mmq_bridge.bundle.reader import open_bundle, read_files
from mmq_bridge.bundle.sources import FOLDER, code_of
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.source_files import SOURCES

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"
INCLUDE = SOURCES / "core" / "include"
HEADERS = [path.name for path in sorted(INCLUDE.glob("*.h"))]
GENERATED = ("mmq_spec.h", "mmq_rules.h", "mmq_model.h", "mmq_network.h", "mmq_head.h", "mmq_ops.h")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-fsyntax-only", f"-I{INCLUDE}")
C, CPP = ("-std=c99", "-Wstrict-prototypes", "-xc"), ("-std=c++17", "-Wold-style-cast", "-xc++")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The headers written for the shipped model."""
    manifest, folder = Manifest.load(SHIPPED), tmp_path_factory.mktemp("generated")
    code = code_of(open_bundle(SHIPPED, manifest, read_files(SHIPPED, manifest)))
    for name in GENERATED:
        (folder / name).write_bytes(code[f"{FOLDER}/{name}"])
    return folder


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("gcc", C),
        ("clang", C),
        ("arm-none-eabi-gcc", C),
        ("g++", CPP),
        ("clang++", CPP),
        ("arm-none-eabi-g++", CPP),
    ],
)
def test_each_header_stands_alone(
    compiler: str, flags: tuple[str, ...], generated: Path, tmp_path: Path
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    units = []
    for header in (*HEADERS, *GENERATED):
        units.append(tmp_path / f"{header}.c")
        units[-1].write_text(f'#include "{header}"\n#include "{header}"\ntypedef int not_empty;\n')
    done = subprocess.run(
        [compiler, *STRICT, f"-I{generated}", "-Wno-unused", *flags, *map(str, units)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:2000]


def test_the_models_header_says_what_it_is(generated: Path) -> None:
    text, manifest = (generated / "mmq_model.h").read_text(), Manifest.load(SHIPPED)
    assert f'#define MMQ_MODEL_NAME "{manifest.name}"\n' in text
    assert f'#define MMQ_MODEL_SHA256 "{manifest.files["model_int8.tflite"].sha256}"\n' in text
    assert f'#define MMQ_MODEL_LICENCE "{manifest.data.licence}" ' in text
    assert "#define MMQ_MODEL_SIMULATED 0 " in text
    assert '#define MMQ_STRESS_CLASS_NAMES {"rest", "stress"}\n' in text


@pytest.mark.parametrize("header", HEADERS)
def test_each_is_guarded_and_c_for_cpp(header: str) -> None:
    text = (INCLUDE / header).read_text()
    guard = header.upper().replace(".", "_")
    assert f"#ifndef {guard}\n#define {guard}\n" in text
    assert text.count('extern "C"') == 1
