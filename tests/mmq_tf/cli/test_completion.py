# SPDX-License-Identifier: Apache-2.0
"""Completion by the Tab key."""

import os
import subprocess
import sys

import pytest
from command_line import invoke, printed

from mmq_tf.cli.completion import SHELLS, command, place_for, script_for


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_written_where_the_shell_looks(shell, tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "ZDOTDIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    said = printed(command, shell)
    path = place_for(shell)
    assert tmp_path in path.parents
    assert str(path) in said
    assert path.read_text("utf-8") == script_for(shell) == printed(command, shell, "--print")
    assert "_MMQ_TF_COMPLETE" in script_for(shell)


def test_the_shell_is_the_one_in_use_unless_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert printed(command, "--print") == script_for("fish")
    monkeypatch.setenv("SHELL", "/bin/csh")
    result = invoke(command)
    assert result.exit_code == 2
    assert "name your shell: one of bash, zsh, fish." in result.output


def test_what_cannot_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert "cannot be written" in str(invoke(command, "fish").exception)


def test_commands_are_completed_without_importing_them():
    code = """
import sys
from mmq_tf.cli import main
sys.argv = ["mmq-tf"]
try:
    main()
finally:
    print(sorted({"numpy", "rich", "keras"} & set(sys.modules)), file=sys.stderr)
"""
    asked = {"_MMQ_TF_COMPLETE": "bash_complete", "COMP_WORDS": "mmq-tf ev", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked}, check=False
    )
    assert done.stdout.split() == ["plain,evaluate"]
    assert done.stderr.splitlines()[-1] == "[]"
