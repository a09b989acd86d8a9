# SPDX-License-Identifier: Apache-2.0
"""Pages written from the code before each build: commands, keys, C functions, data sets, results, models."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "_generated"
HEADERS = ROOT / "firmware_bridge" / "core" / "include"


def setup(app: Any) -> dict[str, Any]:
    """Write the pages when the builder starts."""
    app.connect("config-inited", lambda app, config: write_all())
    return {"parallel_read_safe": True}


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {
        "commands.md": commands(),
        "configuration.md": configuration(),
        "c-functions.md": c_functions(),
        "reasons.md": reasons(),
        "benchmarks.md": benchmarks(),
        "models.md": models(),
        **{f"data-set-{name}.md": text for name, text in data_sets()},
    }


def write_all() -> None:
    """Write every page; one that did not change keeps its date, so that it is not read again."""
    OUT.mkdir(exist_ok=True)
    wanted = pages()
    for old in OUT.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = OUT / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def commands() -> str:
    """Return the reference of `mmq-tf` and `mmq-bridge`, which sphinx-click reads from the commands."""
    from mmq_bridge.cli import cli as bridge

    from mmq_tf.cli import SECTIONS

    parts = ["# Commands\n\nEvery command answers `--help` with the same text.\n"]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [_click(f"mmq_tf.cli.{name}:command", f"mmq-tf {name}") for name in names]
    parts.append("## On the device's side: mmq-bridge\n")
    parts.append("`mmq-bridge` runs a bundle and needs no TensorFlow. Its commands are those of `mmq-tf`:\n")
    parts += [f"- `mmq-bridge {name}`" for name in sorted(bridge.list_commands(None))]
    return "\n".join(parts) + "\n"


def _click(place: str, program: str) -> str:
    return f"```{{eval-rst}}\n.. click:: {place}\n   :prog: {program}\n   :nested: full\n```\n"


def configuration() -> str:
    """Return every key of a run's configuration, with what it takes and its default."""
    from mmq_tf.config.keys import config_keys, explained
    from mmq_tf.config.run_config import RunConfig

    parts = [
        "# Configuration keys\n",
        "A run is one TOML file. `--set KEY=VALUE` changes one key for one run; `mmq-tf config keys PART`",
        "shows the same list in a terminal. It is read from the models that check a configuration.\n",
    ]
    for section, keys in itertools.groupby(config_keys(RunConfig), lambda key: key.section):
        parts += [f"## {section.__name__}\n", _plain(explained(section).partition(" Parameters ---")[0]), ""]
        parts += ["| key | takes | default |", "|---|---|---|"]
        parts += [f"| `{key.name}` | {_cell(key.kind)} | {_cell(key.default)} |" for key in keys]
        parts.append("")
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Return numpydoc prose as Markdown shows it as it is."""
    return text.replace("``", "`").replace("<", "&lt;")


def _cell(text: str) -> str:
    return "`" + text.replace("|", "or") + "`" if text else ""


FUNCTION = re.compile(
    r"(?:/\*((?:(?!\*/).)*)\*/\s*\n)?^((?:const )?[a-z]\w*[ *]+\**(mmq_\w+)\([^;{]*\));", re.M | re.S
)
"""A comment, if one stands right above; a prototype; its name."""


def c_functions() -> str:
    """Return every public function of the C core with the comment above it, and the headers themselves."""
    parts = ["# C\n", "The core is C99. It allocates nothing, and every function says what it returns.\n"]
    for header in sorted(HEADERS.glob("*.h")):
        text = header.read_text("utf-8")
        parts += [f"## {header.name}\n", _about(text), ""]
        for comment, prototype, name in FUNCTION.findall(text):
            one_line = " ".join(prototype.split())
            said = _lines(comment) or f"See the comment beside {name} in {header.name}."
            parts += [f"````{{c:function}} {one_line}", "```text", said, "```", "````\n"]
        parts += _folded(f"The whole of {header.name}", f"firmware_bridge/core/include/{header.name}", "c")
    return "\n".join(parts)


def _folded(title: str, path: str, language: str) -> list[str]:
    """Return a file of the repository, folded away."""
    shown = f"```{{literalinclude}} ../../{path}"
    return [f":::{{dropdown}} {title}", shown, f":language: {language}", "```", ":::\n"]


def _about(header: str) -> str:
    """Return what the comment at the top of a header says in its first paragraph."""
    found = re.search(r"/\* \w+\.h: (.*?)(?:\n \*\n|\*/)", header, re.S)
    return _prose(found[1][:1].upper() + found[1][1:]) if found else ""


def _prose(comment: str) -> str:
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in comment.strip().splitlines()]
    return re.sub(r"([<*])", r"\\\1", " ".join(line.strip() for line in lines if line.strip()))


def _lines(comment: str) -> str:
    """Return a comment's lines as they stand, without the stars before them."""
    return "\n".join(re.sub(r"^\s*\* ?", "", line).rstrip() for line in comment.strip().splitlines())


def reasons() -> str:
    """Return what the core can say: why a token is absent, and what a call went wrong with."""
    from mmq_bridge.core_binding.quality_flags import Reason, reason_names

    text = (HEADERS / "mmq_bridge.h").read_text("utf-8")
    said = dict(re.findall(r"MMQ_WHY_(\w+) = \d+,?\s*/\* (.*?) \*/", text))
    status = re.search(r"MMQ_OK = 0,(.*?)\} mmq_status_t", text, re.S)
    calls = re.findall(r"(MMQ_\w+),?\s*/\* (.*?) \*/", status[1] if status else "")
    parts = ["# Reasons and errors\n", "## Why a token is absent\n"]
    parts.append("A decision says it by sensor, in `absent` (Python), `--json` and the companion page.\n")
    parts += ["| reason | bit | set when |", "|---|---:|---|"]
    parts += [f"| `{reason_names(one)[0]}` | {int(one)} | {said.get(str(one.name), '')} |" for one in Reason]
    parts += ["", "## Why a decision abstains\n", "See [what a decision says](../reference/decisions.md).\n"]
    parts += ["## What a call of the core returns\n", "| status | meaning |", "|---|---|"]
    parts += [f"| `{name}` | {meaning} |" for name, meaning in calls]
    parts += ["", "## Errors in Python and on the command line\n", ERRORS]
    return "\n".join(parts) + "\n"


ERRORS = """What a user can mend is an `MMQError`, which is a `ValueError`; `BridgeError` and `ExportError`
are kinds of it. Its text is one sentence: which file, row or argument, what was expected, what came.
The command line prints it and ends with exit code 2; `mmq-tf --debug ...` also shows where it was raised."""


def benchmarks() -> str:
    """Return a table of all published results with the commands that wrote them."""
    parts = [
        "# Benchmarks\n",
        "Each table is written by the command it names, and by nothing else. Begin with",
        "[what they say together](../results.md). [What was tried](../../results/log.md) is there too.\n",
        "| result | made by |",
        "|---|---|",
    ]
    pages = sorted((ROOT / "results").glob("*.json"))
    for page in pages:
        command = json.loads(page.read_text("utf-8"))["command"]
        shown = " ".join(str(command).split()).replace("|", "\\|").replace("`", "'")
        parts.append(f"| [{page.stem}](../../results/{page.stem}.md) | `{shown}` |")
    parts += ["\n:::{toctree}", ":hidden:", ""]
    parts += [f"../../results/{page.stem}" for page in sorted((ROOT / "results").glob("*.md"))]
    return "\n".join([*parts, ":::\n"])


def models() -> str:
    """Return the models that come with mmq-tf: what each costs, its licence and its card."""
    from mmq_tf import pretrained

    parts = [
        "# Model zoo\n",
        "Models that come with mmq-tf. `mmq_tf.load(NAME)` opens one; `mmq-tf export --pretrained NAME`",
        "writes it to embed.\n",
    ]
    for name in pretrained.names():
        folder = pretrained.path(name)
        about = json.loads((folder / "manifest.json").read_text("utf-8"))
        parts += [f"## {name}\n", "| | |", "|---|---|"]
        parts += [f"| {key} | {value} |" for key, value in _model_facts(about).items()]
        card = (folder / "MODEL_CARD.md").read_text("utf-8")
        parts += ["", ":::{dropdown} The whole card", _lowered(card), ":::\n"]
    return "\n".join(parts)


def _model_facts(about: Any) -> dict[str, str]:
    """Return what is said of a model, from its manifest."""
    cost, data = about["model"], about["data"]
    tasks = about["decision"]["tasks"].items()
    return {
        "learned from": data["title"],
        "a label is": data["label_kind"],
        "classes": "; ".join(f"{task}: {', '.join(names)}" for task, names in tasks),
        "int8 model": f"{cost['int8_bytes']:,} bytes, {cost['macs']:,} multiply-accumulates per decision",
        "TFLite Micro arena": f"{cost['arena_bytes']:,} bytes" if cost.get("arena_bytes") else "not measured",
        "int8 against float": f"{cost['drop_points']:.2f} points of macro-F1 lost, "
        f"{cost['max_drop_points']} allowed",
        "licence of the weights": "Apache-2.0",
        "licence of the training data": data["licence"],
    }


def _lowered(card: str) -> str:
    """Return a card whose headings are bold lines, so that it can stand inside a page."""
    return re.sub(r"(?m)^#+ (.*)$", r"**\1**", card)


def data_sets() -> Iterator[tuple[str, str]]:
    """Yield a page for each data set: what is in it, how to get it, and how to train on it."""
    from mmq_tf.config.preset_files import preset_names
    from mmq_tf.config.run_config import load_config
    from mmq_tf.datasets import DATASETS, spelled

    presets = {name: load_config(name).data.dataset for name in preset_names()}
    for name, one in DATASETS.items():
        own = [preset for preset, dataset in presets.items() if dataset == name]
        parts = [f"# {one.title}\n", "| | |", "|---|---|"]
        parts += [f"| {key} | {_linked(value)} |" for key, value in _facts(one).items() if value]
        notes = [one.notes] if isinstance(one.notes, str) else list(one.notes)
        parts += ["", *(f"- {_linked(note)}" for note in notes if note), "", "## Steps\n", "```"]
        parts.append(f"mmq-tf datasets check {spelled(name)} DIR")
        for preset in own:
            parts.append(f"mmq-tf train {preset} --data DIR --out runs/{preset}")
            parts.append(f"mmq-tf evaluate runs/{preset}")
            parts.append(f"mmq-tf export runs/{preset} --int8 --out bundles/{preset}")
        parts.append("```\n")
        for preset in own:
            parts += _folded(f"The preset {preset}", f"mmq_tf/presets/{preset}.toml", "toml")
        yield spelled(name), "\n".join(parts)


def _facts(one: Any) -> dict[str, str]:
    """Return what is said of a data set, by the head of its line."""
    return {
        "name": one.name,
        "sensors": ", ".join(one.modalities),
        "tasks": "; ".join(f"{task}: {', '.join(classes)}" for task, classes in one.tasks.items()),
        "a label is": one.label_kind,
        "licence": one.licence,
        "made by": one.attribution,
        "to get it": one.obtain,
    }


def _linked(text: Any) -> str:
    """Return text for a table's cell, its addresses as links."""
    plain = " ".join(str(text).split()).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
    return re.sub(r"(https?://[^\s,;)]+)", lambda found: f"<{found[1].replace(chr(92), '')}>", plain)


if __name__ == "__main__":
    write_all()
