# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf simulate --layout`: SIMULATED cohorts in published layouts, whole or not at all, and marked."""

import json

import pytest
from command_line import invoke, printed

from mmq_tf.cli.datasets import command as datasets
from mmq_tf.cli.simulate import command
from mmq_tf.datasets import open_dataset
from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.layouts.cohort import write_layout

CALLS = []


def write_toy(root, subjects, seed, short):
    CALLS.append((subjects, seed, short))
    for number in range(subjects):
        (root / f"Subject{number:02d}_1.edf").write_text(f"{seed}")
        yield f"Subject{number:02d}"


@pytest.fixture
def toy(monkeypatch):
    """The layout of eegmat, written by a toy: for what does not depend on the files."""
    CALLS.clear()
    monkeypatch.setitem(LAYOUTS, "eegmat", write_toy)
    return "eegmat"


def test_the_writer_gets_what_was_asked_for_and_the_folder_is_marked(toy, tmp_path):
    seen = []
    out = write_layout(toy, tmp_path / "c", 2, 5, on_subject=seen.append)
    assert CALLS == [(2, 5, True)]
    assert seen == ["Subject00", "Subject01"]
    assert {path.name for path in out.iterdir()} == {SIMULATED_NAME, "Subject00_1.edf", "Subject01_1.edf"}
    text = (out / SIMULATED_NAME).read_text()
    assert text.startswith("SIMULATED recordings in the layout of EEG During Mental Arithmetic Tasks")
    assert "2 subjects, seed 5, shortened" in text
    write_layout(toy, tmp_path / "whole", 1, 0, short=False)
    assert CALLS[-1] == (1, 0, False)
    assert "at full length" in (tmp_path / "whole" / SIMULATED_NAME).read_text()


def test_an_interrupted_or_failed_writer_leaves_nothing(monkeypatch, tmp_path):
    for error, raised in ((KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), MMQError)):

        def write(root, subjects, seed, short, error=error):
            (root / "half").write_text("x")
            yield "one"
            raise error

        monkeypatch.setitem(LAYOUTS, "eegmat", write)
        with pytest.raises(raised):
            write_layout("eegmat", tmp_path / "c", 1, 0)
        assert list(tmp_path.iterdir()) == []


def test_only_a_simulated_folder_is_replaced_and_only_when_asked(toy, tmp_path):
    out = write_layout(toy, tmp_path / "c", 2, 0)
    with pytest.raises(MMQError, match="use --force"):
        write_layout(toy, out, 1, 0)
    write_layout(toy, out, 1, 0, replace=True)
    assert not (out / "Subject01_1.edf").exists()
    (out / SIMULATED_NAME).unlink()  # now it could be somebody's recordings
    with pytest.raises(MMQError, match="something else is there"):
        write_layout(toy, out, 1, 0, replace=True)


def test_as_many_subjects_as_the_publisher_names(toy, tmp_path):
    for subjects in (0, 37):
        with pytest.raises(MMQError, match=f"must be 1 to 36; got {subjects}"):
            write_layout(toy, tmp_path / "c", subjects, 0)
    with pytest.raises(MMQError, match="layout must be one of"):
        write_layout("nothing", tmp_path / "c", 1, 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--layout", "LAYOUT", "--minutes", "15"], "--minutes cannot be given with --layout"),
        (["--layout", "LAYOUT", "--modalities", "eda"], "--modalities cannot be given with --layout"),
        (["--layout", "LAYOUT", "--clean"], "--clean cannot be given with --layout"),
        (["--whole"], "--whole goes with --layout only"),
        (["--layout", "nothing"], "Invalid value for '--layout'"),
    ],
)
def test_options_that_would_be_ignored_are_refused(tmp_path, options, sentence):
    layout = next(iter(LAYOUTS))
    given = [layout if option == "LAYOUT" else option for option in options]
    assert sentence in printed(command, "--out", tmp_path / "c", *given, code=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_what_is_simulated_in_a_layout_is_found_as_published(name, tmp_path):
    out = tmp_path / name
    output = printed(command, "--layout", name, "--out", out, "--subjects", "1", "--seed", "3")
    assert output == f"SIMULATED cohort of 1 in the layout of {name} (seed 3) in {out}\n"
    result = invoke(datasets, "check", name, out, "--json", tmp_path / "found.json")
    assert "SIMULATED: no person was measured." in result.output
    (one,) = json.loads((tmp_path / "found.json").read_text())["subjects"]
    # A shortened cohort may have fewer trials; nothing else may differ.
    assert all(fault.startswith(f"{one['subject']}: trials: ") for fault in one["faults"]), result.output
    assert (one["state"], result.exit_code) == (("differs", 1) if one["faults"] else ("ok", 0))
    dataset = open_dataset(name, out)
    assert dataset.simulated
    assert "SIMULATED" in dataset.title
