# SPDX-License-Identifier: Apache-2.0
"""`--help` lists what every command says of itself, without importing what the commands need."""

import subprocess
import sys

import click
import pytest
from command_line import invoke

from mmq_tf.cli import cli
from mmq_tf.cli.datasets import command as datasets


@pytest.mark.parametrize("group", [cli, datasets])
def test_help_lists_what_the_commands_say_of_themselves(group):
    context = click.Context(group, info_name="mmq-tf")
    click.Group.format_commands(group, context, expected := context.make_formatter())
    group.format_commands(context, got := context.make_formatter())
    assert got.getvalue() == expected.getvalue()


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
