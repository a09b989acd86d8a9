# SPDX-License-Identifier: Apache-2.0
"""Commands as a user types them, inside the test's process."""

import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mmq_tf import cli


def invoke(command: click.Command, *arguments: object, **options: Any) -> Result:
    """Run a command with these arguments, each as text; `options` are those of `CliRunner.invoke`."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments], **options)


def printed(command: click.Command, *arguments: object, code: int = 0) -> str:
    """Run a command, check its exit code and return what it printed; what it raises passes through."""
    result = invoke(command, *arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def run_main(patch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `mmq-tf` with these arguments as a shell does, and return its exit code."""
    patch.setattr(sys, "argv", ["mmq-tf", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
