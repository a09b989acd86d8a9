# SPDX-License-Identifier: Apache-2.0
import click
import pytest
from mmq_bridge.command_line import run
from mmq_bridge.errors import BridgeError

RAISED = {
    "bad": BridgeError("bundles/x: is not there."),
    "stopped": click.exceptions.Abort("stopped at 3 s."),
    "interrupted": KeyboardInterrupt(),
    "bug": ZeroDivisionError("a bug"),
}


@click.group()
@click.option("--debug", is_flag=True)
def group(debug):
    """A program."""


@group.command()
@click.argument("name")
def fail(name):
    """Raise what is asked for."""
    raise RAISED[name]


def ended(monkeypatch, *arguments):
    """Run the program; return its exit code."""
    monkeypatch.setattr("sys.argv", ["program", *arguments])
    with pytest.raises(SystemExit) as stop:
        run(group, "program")
    return stop.value.code


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("bad", 2, "program: bundles/x: is not there.\n"),
        ("stopped", 130, "stopped at 3 s.\n"),
        ("interrupted", 130, "\nstopped.\n"),  # click ends the terminal's line, where ^C stands, itself
    ],
)
def test_what_a_user_can_mend_or_did_is_one_sentence(monkeypatch, capsys, name, code, says):
    assert ended(monkeypatch, "fail", name) == code
    assert capsys.readouterr() == ("", says)


def test_a_wrong_option_is_clicks_own_usage_error(monkeypatch, capsys):
    assert ended(monkeypatch, "fail", "bad", "--no-such") == 2
    assert "No such option" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "error"), [("bad", BridgeError), ("bug", ZeroDivisionError)])
def test_debug_shows_the_traceback_and_a_bug_always_does(monkeypatch, name, error):
    monkeypatch.setattr("sys.argv", ["program", *(["--debug"] if name == "bad" else []), "fail", name])
    with pytest.raises(error):
        run(group, "program")
