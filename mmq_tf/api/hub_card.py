# SPDX-License-Identifier: Apache-2.0
"""The card of a bundle on a model hub: YAML that the hub reads, and text for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmq_bridge.decision.manifest import Manifest
    from mmq_bridge.front_end.front_end import FrontEnd

    from mmq_tf.metrics.results_table import ResultsFile

METRICS = {"auroc": ("roc_auc", "AUROC"), "time_matched_auroc": ("roc_auc", "time-matched AUROC"),
           "macro_f1": ("f1", "macro-F1"), "accuracy": ("accuracy", "accuracy")}  # fmt: skip
"""Of our metrics, what the hub calls them and what people do."""

_CARD = """\
# {name}

{simulated}An int8 network for wearables that decides {tasks} from {sensors}, one decision every
{every_s:g} s, and keeps deciding when sensors are missing. The folder `bundle/` holds everything: the network
(TFLite and C), the front end, golden vectors, and its own `MODEL_CARD.md` with every number.

## How to use it

```python
from mmq_tf.api.exporting import Bundle

device = Bundle.from_hub("{repo}").load()
decisions = device.decide({{{example}}})  # samples and their rate in Hz
```

On a microcontroller: `bundle/README.md`. Every file is checked by its SHA-256 before it is used.

## Intended use

Research and prototypes with adults who agreed to be measured. Not a medical device: not for diagnosis,
treatment or any decision about a person's health. Inferring emotions of people at work or in education is
prohibited in the European Union, except for medical or safety reasons: AI Act, Regulation (EU) 2024/1689,
Article 5(1)(f).

## People

Trained on {people}: {title}. The label is {label_kind}. {demographics}

## Licences

This model: {licence}. The data it learned from: {data_licence} {attribution}
"""


def hub_card(
    repo: str,
    manifest: Manifest,
    front_end: FrontEnd,
    results: Sequence[ResultsFile],
    licence: str,
    demographics: str,
) -> str:
    """Return the ``README.md`` of a hub's repository: YAML between two lines of ``---``, then the text.

    Parameters
    ----------
    repo : str
        ``owner/name``.
    manifest, front_end
        Of the bundle.
    results : sequence of ResultsFile
        Tables for its ``model-index``; its own int8 score stands there in any case.
    licence : str
        As the hub writes it, like ``apache-2.0``.
    demographics : str
        What is known of the people; says that nothing is where it is empty.
    """
    facts, decision = manifest.data, manifest.decision
    count = len(manifest.train_subjects)
    example = ", ".join(
        f'"{name}": ({name}, {one.sampling_rate_hz:g})' for name, one in front_end.modalities.items()
    )
    text = _CARD.format(
        name=manifest.name,
        simulated="**SIMULATED**: no person was measured. " if manifest.simulated else "",
        tasks="; ".join(f"{task} ({', '.join(names)})" for task, names in decision.tasks.items()),
        sensors=", ".join(front_end.modality_names),
        every_s=front_end.token_s * decision.every_tokens,
        repo=repo,
        example=example,
        people=f"{count} people" if count else "people it does not name",
        title=facts.title,
        label_kind=facts.label_kind,
        demographics=demographics or "Their age, sex, skin tone and health are not recorded with the model.",
        licence=licence,
        data_licence=facts.licence.rstrip(".") + ".",
        attribution=facts.attribution.rstrip(".") + ".",
    )
    metadata = {
        "license": licence,
        "library_name": "mmq-tf",
        "tags": [
            "mmq-tf", "wearable", "tinyml", "int8", "tflite", "physiological-signals", "missing-data",
            *decision.tasks, *front_end.modality_names, *(["simulated"] if manifest.simulated else []),
        ],
        "metrics": list(dict.fromkeys(name for name, _ in METRICS.values())),
        "model-index": [{"name": manifest.name, "results": [*_results(manifest, results)]}],
    }  # fmt: skip
    return "---\n" + "\n".join(yaml_lines(metadata)) + "\n---\n\n" + text


def _results(manifest: Manifest, tables: Sequence[ResultsFile]) -> Iterator[dict[str, Any]]:
    """Yield what a ``model-index`` holds: int8 on the validation windows, then each table's network."""
    task = ", ".join(manifest.decision.tasks)
    gate = {"type": "f1", "name": "macro-F1 of int8 on validation windows with data missing"}
    yield _result(
        task,
        manifest.data.name,
        manifest.data.title,
        [{**gate, "value": round(manifest.model.int8_macro_f1, 4)}],
    )
    for table in tables:
        rows = [row for row in table.rows if row.method == table.methods[0] and row.condition == "full"]
        found = [
            {
                "type": METRICS[row.metric][0],
                "name": f"{METRICS[row.metric][1]}, mean over {row.n} people",
                "value": round(row.mean, 4),
            }
            for row in rows
            if row.metric in METRICS and row.mean is not None
        ]
        if found:
            yield _result(task, table.name, f"{table.data}; {table.split}", found)


def _result(task: str, kind: str, name: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": {"type": "time-series-classification", "name": task},
        "dataset": {"type": kind, "name": name},
        "metrics": metrics,
    }


def yaml_lines(value: Mapping[str, Any] | Sequence[Any], depth: int = 0) -> Iterator[str]:
    r"""Yield the lines of a mapping or list as YAML; scalars are written as JSON, which is YAML too.

    Examples
    --------
    >>> print("\n".join(yaml_lines({"tags": ["a", "b: c"], "list": [{"x": 1, "y": {"z": 0.5}}]})))
    tags:
      - "a"
      - "b: c"
    list:
      - x: 1
        y:
          z: 0.5
    """
    space = "  " * depth
    pairs = value.items() if isinstance(value, Mapping) else ((None, one) for one in value)
    for key, one in pairs:
        start = f"{space}- " if key is None else f"{space}{key}:"
        if not isinstance(one, Mapping | list | tuple):
            text = json.dumps(one, ensure_ascii=False)
            yield f"{start}{text}" if key is None else f"{start} {text}"
        elif key is None:
            first, *rest = yaml_lines(one, depth + 1)
            yield f"{start}{first.strip()}"
            yield from rest
        else:
            yield start
            yield from yaml_lines(one, depth + 1)
