# SPDX-License-Identifier: Apache-2.0
"""What `mmq-tf tune` refuses, before anything slow is loaded: one sentence, exit code 2."""

import pytest
from command_line import run_main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulatd", "--budget", "4"], "Did you mean 'simulated'?"),
        (["stress-predict", "--budget", "4"], "give their folder with --data DIR"),
        (["simulated", "--budget", "1"], "--budget"),
        (["simulated", "--budget", "4", "--inner", "1"], "--inner"),
        (["simulated", "--budget", "4", "--results", "a.csv"], "should end in .json"),
        (["simulated", "--budget", "4", "--methods", "forrest"], "Did you mean 'forest'?"),
        (["simulated", "--budget", "4", "--search", "model.dropuot"], "Did you mean 'model.dropout'?"),
    ],
)
def test_what_cannot_be_searched_is_refused(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_main(monkeypatch, "tune", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
