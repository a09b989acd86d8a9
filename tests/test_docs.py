# SPDX-License-Identifier: Apache-2.0
"""README and docs: links lead somewhere, commands and their options exist, presets are named."""

import re
import shlex
from pathlib import Path

import click
import pytest

from mmq_tf.cli import cli
from mmq_tf.config.run_config import preset_names
from mmq_tf.datasets.manifest.schema import read_manifest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "firmware_bridge" / "README.md",
]
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
BLOCK = re.compile(r"```\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if target.startswith("http"):
            continue
        found = (page.parent / target) if target else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"(?m)^#+ (.*)$", found.read_text("utf-8"))
            assert anchor[1:] in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def commands() -> list[str]:
    """Return each line of a block that is a command of ours, without what is said behind it."""
    lines = [
        line
        for page in PAGES
        for block in BLOCK.findall(page.read_text("utf-8"))
        for line in block.splitlines()
    ]
    parts = [part.strip() for line in lines for part in line.split("#")[0].split("&&")]
    return sorted({part for part in parts if part.startswith("mmq-tf ")})


@pytest.mark.parametrize("line", commands())
def test_every_command_has_the_options_it_is_shown_with(line):
    words = shlex.split(line)[1:]
    command, context = cli, click.Context(cli)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.split("=")[0] for word in words if word.startswith("-")} <= options


def test_the_manifest_of_the_docs_can_be_read(tmp_path):
    page = (ROOT / "docs" / "files-from-the-wild.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mmq-tf.toml").write_text(block)
    manifest = read_manifest(tmp_path)
    assert [part.name for part in manifest.files] == ["left"]
    assert manifest.name_of("7") == "P07"


def test_the_docs_name_every_preset():
    page = (ROOT / "docs" / "data-sets.md").read_text("utf-8")
    assert not [name for name in preset_names() if f"`{name}`" not in page]
