# SPDX-License-Identifier: Apache-2.0
"""`--help` lists what every command says of itself, without importing what the commands need."""

import subprocess
import sys

import click
import pytest
from command_line import invoke, run_main

from mmq_tf.cli import cli
from mmq_tf.cli.datasets import command as datasets


@pytest.mark.parametrize("group", [cli, datasets])
def test_help_lists_every_command_with_a_whole_sentence(group):
    context = click.Context(group, info_name="mmq-tf")
    group.format_commands(context, got := context.make_formatter())
    listed = "".join(got.getvalue().split())  # lines also break at hyphens
    for name in group.list_commands(context):
        said = (group.get_command(context, name).help or "").partition("\n\n")[0]
        first = " ".join(said.split()).partition(". ")[0].removesuffix(".")
        assert "".join(f"{name}{first}".split()) in listed
    assert "..." not in listed


def test_a_command_that_is_not_there_is_asked_for(capsys, monkeypatch):
    assert run_main(monkeypatch, "trian") == 2
    assert "No such command 'trian'. Did you mean 'train'?" in capsys.readouterr().err


def test_help_imports_no_command():
    code = """
import sys
from mmq_tf.cli import cli
cli(["--help"], standalone_mode=False)
print(sorted({"numpy", "scipy", "rich", "keras", "mmq_tf.cli.train"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_ends_with_0():
    assert invoke(cli, "--help").exit_code == 0
