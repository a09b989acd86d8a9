# SPDX-License-Identifier: Apache-2.0
"""What `config keys` and `datasets list` say, prepared: to import what it is read from takes too long.

``python -m mmq_tf.cli._prepare_answers`` writes it anew; a test compares it with what it is read from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("prepared.json")


def prepared(name: str) -> list[Any]:
    """Return one of the tables of the file."""
    return json.loads(FILE.read_text("utf-8"))[name]
