# SPDX-License-Identifier: Apache-2.0
"""Data sets of other distributions: found by entry points, refused by name, harmless where broken."""

import sys

import pytest
from command_line import invoke

from mmq_tf.cli.datasets import command
from mmq_tf.datasets import all_datasets, get_dataset, plugins
from mmq_tf.errors import MMQError

GOOD = """
import pathlib
from mmq_tf.recording import Recording, Signal
import numpy as np
class Mine:
    name, title, licence, attribution = "{name}", "Mine", "own", "me"
    obtain, label_kind = "here", "condition"
    tasks = {{"stress": ("rest", "stress")}}
    modalities = ("eda",)
    def subjects(self, folder): return ["b", "a"]
    def files(self, folder, subject): return [folder / "x"]
    def load(self, folder, subject):
        eda = Signal("eda", np.zeros((1, 8), np.float32), 4, "uS", ("e",))
        return Recording(subject, "1", {{"eda": eda}})
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return what makes a distribution with one entry point importable."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.plugin_dataset.cache_clear()

    def install(name, source, module=None, distribution=None):
        module = module or f"module_of_{name}"
        info = tmp_path / f"{distribution or 'dist_' + name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution or 'dist_' + name}\nVersion: 1.5\n"
        )
        (info / "entry_points.txt").write_text(f"[mmq_tf.datasets]\n{name} = {module}:Mine\n")
        (tmp_path / f"{module}.py").write_text(source)
        sys.modules.pop(module, None)

    yield install
    plugins.plugin_dataset.cache_clear()


def test_a_plugin_is_a_data_set_like_any_other(install, tmp_path):
    install("mine", GOOD.format(name="mine"))
    dataset = get_dataset("mine")
    (tmp_path / "x").write_text("1")
    assert dataset.subjects(tmp_path) == ["a", "b"]
    before = dataset.digest(tmp_path, "a")
    assert dataset.load(tmp_path, "a").digest == before
    (tmp_path / "x").write_text("2")
    assert dataset.digest(tmp_path, "a") != before
    assert get_dataset("mine") is dataset
    listed = invoke(command, "list")
    assert "\nmine " in listed.output
    assert invoke(command, "list", "mine").output.startswith("mine: Mine\n")


def test_a_function_may_give_a_dataset(install):
    install(
        "mine",
        GOOD.format(name="other")
        + "\nfrom dataclasses import replace\nfrom mmq_tf.datasets.eegmat import EEGMAT\n"
        "def Mine(): return replace(EEGMAT, name='mine')\n",
    )
    assert get_dataset("mine").modalities == get_dataset("eegmat").modalities


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("class Mine:", "import nothing_of_that_name\nclass Mine:"),
            ["ModuleNotFoundError", "nothing_of_that_name"],
        ),
        (("class Mine:", "class Yours:"), ["AttributeError"]),
        (("class Mine:", "raise SystemExit(3)\nclass Mine:"), ["SystemExit"]),
        (("class Mine:", "class Mine:\n    def __init__(self): 1 / 0"), ["ZeroDivisionError"]),
        (('"mine"', '"yours"'), ["its name must be that of its entry point", "'yours'"]),
        (('"own"', '""'), ["licence must be a non-empty string"]),
        (('("rest", "stress")', '("rest",)'), ["at least two different class names"]),
        (('("eda",)', '("pulse",)'), ["modalities must be some of", "pulse"]),
        (("def files", "def file"), ["no method files"]),
    ],
)
def test_a_broken_plugin_is_named_and_harms_no_other(install, change, words):
    install("mine", GOOD.format(name="mine").replace(change[0], change[1], 1))
    install("good", GOOD.format(name="good"))
    with pytest.raises(MMQError) as caught:
        get_dataset("mine")
    message = str(caught.value)
    assert "\n" not in message
    for word in ("data set plug-in 'mine' of dist_mine 1.5", *words):
        assert word in message
    assert get_dataset("good").title == get_dataset("good").title == "Mine"
    found, faults = all_datasets()
    assert "good" in found
    assert "mine" not in found
    assert faults == [message]
    listed = invoke(command, "list")
    assert listed.exit_code == 0
    assert message in listed.stderr


@pytest.mark.parametrize("name", ["deap", "manifest"])
def test_a_name_that_exists_is_refused(install, name):
    install(name, GOOD.format(name=name))
    found, (fault,) = all_datasets()
    assert f"data set plug-in '{name}' of dist_{name} 1.5 is not used" in fault
    assert "exists already" in fault
    assert found.get(name) is not get_dataset("deap") or found["deap"].title != "Mine"


def test_two_plugins_of_one_name(install):
    install("mine", GOOD.format(name="mine"))
    install("mine", GOOD.format(name="mine"), module="second", distribution="dist_second")
    with pytest.raises(MMQError, match=r"dist_mine 1\.5 and dist_second 1\.5 bring it"):
        get_dataset("mine")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('return ["b", "a"]', "1 / 0"), ["subjects failed: ZeroDivisionError"]),
        (('return ["b", "a"]', "return [1, 2]"), ["subjects must give different"]),
        (("return [folder", "return [] or {}[folder"), ["files failed: KeyError"]),
        (("return Recording(", "return Signal("), ["load failed: TypeError"]),
        (
            ("return Recording(", "return 1\n        return Recording("),
            ["load must return a Recording; got int"],
        ),
    ],
)
def test_what_a_plugin_does_wrong_names_it(install, tmp_path, change, words):
    source = GOOD.format(name="mine").replace(change[0], change[1], 1)
    install("mine", source)
    (tmp_path / "x").write_text("1")
    dataset = get_dataset("mine")
    with pytest.raises(MMQError) as caught:
        [dataset.load(tmp_path, subject) for subject in dataset.subjects(tmp_path)]
    for word in ("data set plug-in 'mine' of dist_mine 1.5", *words):
        assert word in str(caught.value)


def test_an_unknown_name_lists_plugins_too(install):
    install("mine", GOOD.format(name="mine"))
    with pytest.raises(MMQError, match=r"pooled, mine; got 'nothing'"):
        get_dataset("nothing")
    assert invoke(command, "list", "nothing").exit_code == 2
