# SPDX-License-Identifier: Apache-2.0
"""The core builds as C99 without a warning on many machines, and refuses flags that would change bits."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).parents[3] / "firmware_bridge" / "core"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-ffp-contract=off")
SOURCES = sorted(path for path in (CORE / "src").rglob("*.c"))


def compiled(command, folder, sources, *flags):
    """What a compiler complains of."""
    name, *own = command.split()
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    given = [name, *flags, *own, f"-I{CORE / 'include'}", "-c", *map(str, sources)]
    done = subprocess.run(given, capture_output=True, text=True, check=False, cwd=folder)
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "gcc",
        "arm-linux-gnueabihf-gcc",
        "i686-linux-gnu-gcc -msse2 -mfpmath=sse",
        "aarch64-linux-gnu-gcc",
        "riscv64-linux-gnu-gcc",
        "powerpc64-linux-gnu-gcc",
        "s390x-linux-gnu-gcc -fexcess-precision=fast",
        "x86_64-w64-mingw32-gcc",
    ],
)
def test_every_file_builds_without_a_warning(command, tmp_path):
    """Beside the targets, which are built so whenever they run."""
    assert compiled(command, tmp_path, SOURCES, *STRICT, "-O2") == ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("gcc -ffast-math", "fast-math changes bits"),
        ("gcc -Ofast", "fast-math changes bits"),
        ("gcc -funsafe-math-optimizations", "fast-math changes bits"),
        ("gcc -mfpmath=387", "float must be evaluated as float"),
        ("clang -ffinite-math-only", "fast-math changes bits"),
        ("i686-linux-gnu-gcc -mfpmath=387", "on i686 add -msse2 -mfpmath=sse"),
        ("s390x-linux-gnu-gcc", "on s390x -fexcess-precision=fast"),
    ],
)
def test_what_cannot_give_the_bits_is_refused_in_one_sentence(command, words, tmp_path):
    (path,) = (path for path in SOURCES if path.name == "decide.c")
    said = compiled(command, tmp_path, [path], "-std=c99", "-O2")
    assert words in said
    assert said.count("error:") == 1


def test_every_file_that_computes_floats_refuses_them(tmp_path):
    """All at once: each such file says the sentence itself."""
    floats = [path for path in SOURCES if re.search(r"\b(?:float|double)\b", uncommented(path))]
    said = compiled("gcc -ffast-math", tmp_path, floats, "-std=c99", "-fsyntax-only")
    refused = {Path(name).name for name in re.findall(r" from (\S+\.c):", said)}
    assert len(floats) > 30
    assert refused == {path.name for path in floats}


def uncommented(path):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)
