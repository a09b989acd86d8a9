# SPDX-License-Identifier: Apache-2.0
"""Write anew what `config keys` and `datasets list` say: ``python -m mmq_tf.cli._prepare_answers``."""

from __future__ import annotations

import itertools
import json
from typing import Any

from mmq_tf.cli._prepared import FILE
from mmq_tf.cli.datasets import table_row
from mmq_tf.config.keys import config_keys, explained
from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets import DATASETS


def read_anew() -> dict[str, list[Any]]:
    """Return the tables as they are now."""
    keys = [
        [explained(section), [[key.name, key.kind, key.default] for key in own]]
        for section, own in itertools.groupby(config_keys(RunConfig), lambda key: key.section)
    ]
    return {"keys": keys, "datasets": [list(table_row(dataset)) for dataset in DATASETS.values()]}


if __name__ == "__main__":
    FILE.write_text(json.dumps(read_anew(), indent=1, ensure_ascii=False) + "\n", "utf-8")
