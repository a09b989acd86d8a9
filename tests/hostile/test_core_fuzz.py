# SPDX-License-Identifier: Apache-2.0
"""The fuzz targets without a fuzzer: seeds and committed corpus pass, and a broken core does not."""

import shutil
import subprocess
import zipfile

import pytest
from fuzz import build, runner, seeds
from fuzz.__main__ import main
from fuzz.front_ends import front_ends
from mmq_bridge.bundle.example_run import find_compiler
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.modalities import CORE_KINDS

FEED = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        static uint8_t data[1 << 16];
        FILE *file = fopen(argv[i], "rb");
        size_t size = fread(data, 1, sizeof data, file);
        uint8_t *exactly = malloc(size + 1);
        fclose(file);
        for (size_t k = 0; k < size; k++) exactly[k] = data[k];
        printf("%s\\n", argv[i]);
        fflush(stdout);
        LLVMFuzzerTestOneInput(exactly, size);
        free(exactly);
    }
    return 0;
}
"""


def feeder(target, core, folder):
    """Compile a target with the machine's own compiler and a main that feeds it files."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C compiler")
    folder.mkdir(parents=True)
    (folder / "feed.c").write_text(FEED)
    units = [
        *build.write_specs(folder),
        folder / "feed.c",
        build.HERE / "fuzz_common.c",
        build.HERE / f"fuzz_{target}.c",
        *sorted((core / "src").glob("*.c")),
    ]
    binary = folder / "feed"
    includes = [f"-I{core / 'include'}", f"-I{build.HERE}"]
    subprocess.run(
        [
            compiler,
            "-std=c99",
            "-O1",
            "-ffp-contract=off",
            *includes,
            *map(str, units),
            "-o",
            str(binary),
            "-lm",
        ],
        check=True,
        capture_output=True,
    )
    return binary


def inputs(target, folder):
    seeds.write(target, folder)
    return sorted(map(str, runner.unpack(target, folder).iterdir()))


@pytest.mark.slow
@pytest.mark.parametrize("target", build.TARGETS)
def test_seeds_and_corpus_keep_every_promise(target, tmp_path):
    binary, files = feeder(target, build.CORE, tmp_path / "bin"), inputs(target, tmp_path / "corpus")
    done = subprocess.run([str(binary), *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"stopped at {done.stdout.splitlines()[-1:]}"
    assert done.stdout.splitlines() == files


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "file", "old", "new"),
    [
        ("push", "tokens.c", "why ? 0.0f : out[i]", "out[i]"),
        ("push", "tokens.c", "bridge->popped++;", "bridge->popped += 2;"),
        ("push", "place.c", "state->held_bits |= bit_of(index);", ""),
        ("push", "counted.c", "while (mmq_place_holds(state, state->next_index))", "if (0)"),
        ("push", "place.c", "    let_go(bridge, state, end_ns);", ""),
        ("push", "push.c", "if (dropped >= (int64_t)frames) return frames;", "return frames;"),
        (
            "push",
            "persist.c",
            "[i] = float_at(bridge->spec, at, i);",
            "[i] = float_at(bridge->spec, at, 0);",
        ),
        ("push", "persist.c", "bridge->measured[m] = mmq_word_at(at, HEAD + m);", ""),
        ("push", "persist.c", "bridge->past.counts, at + 4u", "bridge->past.counts, at + 3u"),
        ("push", "normalise.c", "counts += MMQ_SUMS;", "counts += 0x10000u;"),
        ("spec", "bridge.c", "return arena.used + 8u;", "return arena.used / 0x7fffffffu;"),
        ("head", "head.c", "return mmq_is_finite(sum) ? sum : 0.0f;", "return sum;"),
        ("head", "head.c", "if (mmq_is_finite(state->bias) &&", "if (1 ||"),
        ("head", "head.c", "if (can_be_checked(state))", "if (1)"),
        ("head", "head.c", "state->stretch[state->count] = stretch;", ""),
        ("head", "head_state.c", "state->stretch[i] = mmq_word_at(at, word++);", "word++;"),
        ("head", "head.c", "state->count >= MMQ_HEAD_MARKS", "state->count > MMQ_HEAD_MARKS"),
        ("head", "head_state.c", "mmq_head_reset(state);", ""),
        ("head", "head_state.c", "if (is_label ? value > 1u :", "if (is_label ? 0 :"),
        ("decide", "decide.c", "if (!mmq_is_finite(p[k])) return 0;", ""),
        ("decide", "decide.c", "p[k] > p[best] ? k : best", "p[k] < p[best] ? k : best"),
        ("decide", "decide.c", "decider->seen = count;", "decider->seen = count - 1;"),
        ("decide", "step.c", "runner->running = left > 0;", ""),
        ("decide", "display.c", "    mmq_judge(rules, shown);", ""),
    ],
)
def test_a_broken_core_is_caught(target, file, old, new, tmp_path):
    core = tmp_path / "core"
    shutil.copytree(build.CORE, core)
    text = (core / "src" / file).read_text()
    assert old in text
    (core / "src" / file).write_text(text.replace(old, new))
    binary, files = feeder(target, core, tmp_path / "bin"), inputs(target, tmp_path / "corpus")
    assert subprocess.run([str(binary), *files], capture_output=True, check=False).returncode < 0


def test_the_front_ends_cover_every_kind_and_every_version():
    parts = [name for front_end in front_ends().values() for name in front_end.modalities]
    assert set(parts) == set(CORE_KINDS)
    assert {front_end.frontend_version for front_end in front_ends().values()} == {1, 2, 3}


def test_seeds_fit_into_an_input_and_are_the_same_each_time():
    for made, again, target in (
        (seeds.push_seeds(), seeds.push_seeds(), "push"),
        (seeds.spec_seeds(), seeds.spec_seeds(), "spec"),
        (seeds.head_seeds(), seeds.head_seeds(), "head"),
        (seeds.decide_seeds(), seeds.decide_seeds(), "decide"),
    ):
        assert made == again
        assert max(map(len, made.values())) <= runner.MAX_LEN[target]


def test_the_committed_corpus_is_small_and_whole():
    sizes = [runner.corpus_file(target).stat().st_size for target in build.TARGETS]
    assert sum(sizes) < 100_000
    for target in build.TARGETS:
        with zipfile.ZipFile(runner.corpus_file(target)) as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) > 40


@pytest.mark.parametrize("clang", [None, "true"])  # none at all; one that knows no file of its own
def test_without_clang_or_its_fuzzer_the_packages_are_named(clang, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(build.shutil, "which", lambda name: clang)
    assert main(["--seconds", "1", "--work", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "fuzz: clang with libFuzzer and sanitizers was not found: run apt install clang libclang-rt-dev\n"
    )


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_target_that_stops_without_a_crash_file_is_an_error(tmp_path):
    running = runner.start(script(tmp_path / "stop", "echo no such option >&2; exit 3"), "push", 1, tmp_path)
    with pytest.raises(BridgeError, match="fuzz_push: stopped with status 3: no such option"):
        runner.finish(running)


def test_a_crash_is_kept_counted_and_tried_again(tmp_path):
    """What libFuzzer does, played by a shell: a crash file, its last words, another exit code."""
    keep = 'for a in "$@"; do case $a in -artifact_prefix=*) echo x > "${a#*=}crash-1";; esac; done'
    words = "echo '#7 NEW cov: 42 ft: 50 corp: 3/9b exec/s: 1' >&2; exit 77"
    result = runner.finish(runner.start(script(tmp_path / "crash", f"{keep}\n{words}"), "spec", 1, tmp_path))
    assert (result.executions, result.edges, result.corpus) == (7, 42, 3)
    assert [path.name for path in result.crashes] == ["crash-1"]
    result = runner.finish(
        runner.start(script(tmp_path / "fine", words.replace("77", "0")), "spec", 1, tmp_path)
    )
    assert result.crashes == ()
    assert (tmp_path / "corpus/spec/crash-1").read_text() == "x\n"


def test_a_corpus_survives_packing(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "HERE", tmp_path)
    folder = tmp_path / "some"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / name).write_bytes(name.encode() * 9)
    first = runner.pack("push", folder), runner.corpus_file("push").read_bytes()
    assert (runner.pack("push", folder), runner.corpus_file("push").read_bytes()) == first
    again = runner.unpack("push", tmp_path / "again")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {"a": b"a" * 9, "b": b"b" * 9}
