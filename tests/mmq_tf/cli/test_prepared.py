# SPDX-License-Identifier: Apache-2.0
"""What is prepared is what it was read from, and to show it loads next to nothing."""

import subprocess
import sys

import pytest

from mmq_tf.cli._prepare_answers import read_anew
from mmq_tf.cli._prepared import prepared
from mmq_tf.cli.datasets import PLUGINS
from mmq_tf.datasets.plugins import GROUP


def test_it_is_up_to_date():
    for name, table in read_anew().items():
        assert prepared(name) == table, "write it anew: python -m mmq_tf.cli._prepare_answers"


def test_plugins_are_looked_for_where_they_are_registered():
    assert PLUGINS == GROUP


@pytest.mark.parametrize("words", [["config", "keys"], ["datasets", "list"]])
def test_to_show_it_loads_next_to_nothing(words):
    code = f"""
import sys
from mmq_tf.cli import cli
cli({words}, standalone_mode=False)
heavy = {{"numpy", "pydantic", "rich", "mmq_tf.datasets", "mmq_tf.config.run_config"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) > 10
