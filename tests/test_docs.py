# SPDX-License-Identifier: Apache-2.0
"""README and docs: links lead somewhere, commands and their options exist, presets are named."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
from mmq_bridge.core_binding.quality_flags import Reason, reason_names
from PIL import Image

from mmq_tf.cli import cli
from mmq_tf.config.keys import config_keys
from mmq_tf.config.preset_files import preset_names
from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets.manifest.schema import read_manifest

ROOT = Path(__file__).parents[1]
MADE = ("_generated", "gallery")
"""Folders of pages that are made when the docs are built."""

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name not in MADE),
    ROOT / "firmware_bridge" / "README.md",
]
_SPEC = importlib.util.spec_from_file_location("written_pages", ROOT / "docs" / "_ext" / "generated_pages.py")
assert _SPEC is not None
assert _SPEC.loader is not None
written = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(written)
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
BLOCK = re.compile(r"```\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def the_written_pages():
    return written.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page, the_written_pages):
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if target.startswith("http"):
            continue
        found = (page.parent / target) if target else page
        if found.parent.name == "_generated":
            assert found.name in the_written_pages
            continue
        if found.parent.name == "gallery":  # a page of each example, made when the docs are built
            found = ROOT / "examples" / f"{found.stem}.py"
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


def test_pages_written_from_the_code_leave_nothing_out(the_written_pages):
    expected = {
        "configuration.md": [f"| `{key.name}` |" for key in config_keys(RunConfig)],
        "commands.md": [f":prog: mmq-tf {name}\n" for name in cli.list_commands(click.Context(cli))],
        "benchmarks.md": [f"[{path.stem}]" for path in (ROOT / "results").glob("*.json")],
        "reasons.md": [f"| `{reason_names(reason)[0]}` |" for reason in Reason],
        "c-functions.md": [f"{name}(" for name in ("mmq_bridge_push", "mmq_decide", "mmq_network_run")],
    }
    for page, words in expected.items():
        assert words
        assert not [word for word in words if word not in the_written_pages[page]]


def test_every_page_of_the_docs_is_reached():
    """Each stands in a list of pages by its name; decisions do by their folder's."""
    text = "".join(page.read_text("utf-8") for page in PAGES)
    lists = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    named = {Path(line).name for block in lists for line in block.split() if not line.startswith(":")}
    docs = [page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.parent.name != "decisions"]
    assert {"install", "regulation"} <= named
    assert not [page.stem for page in docs if page.stem not in {*named, "index"}]


def test_the_moving_picture_moves_and_is_small():
    path = ROOT / "docs" / "companion" / "sensors-falling-off.webp"
    with Image.open(path) as picture:
        assert getattr(picture, "n_frames", 1) > 10
    assert path.stat().st_size < 600_000
