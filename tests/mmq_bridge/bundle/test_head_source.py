# SPDX-License-Identifier: Apache-2.0
"""The tables of a personal head as C hold the very bits of `personal_head.json`."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.bundle.head_source import head_sources
from mmq_bridge.core_binding.personal_head import CHead, PersonalHead, c_tables
from mmq_bridge.front_end.head_tables import HeadTables

INCLUDE = Path(__file__).parents[3] / "firmware_bridge" / "core" / "include"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_compiled_tables_are_those_of_the_bundle(tmp_path):
    rng = np.random.default_rng(0)
    tables = HeadTables(
        task="stress", tokens=3, n_modalities=2, n_features=9,
        column=tuple(range(1, 8)), owner=(0, 0, 0, 0, 1, 1, 1),
        centre=tuple(rng.standard_normal(7)), scale=(1.0, 1e-20, 5.0, 2.0, 0.1, 1e7, 3.0),
        component=tuple(map(tuple, rng.standard_normal((5, 7)))),
    )  # fmt: skip
    for name, content in head_sources(tables).items():
        (tmp_path / name).write_bytes(content)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{INCLUDE}"]
    made = tmp_path / "head.so"
    subprocess.run(["gcc", *flags, "-o", str(made), str(tmp_path / "mmq_head.c")], check=True)
    head = CHead.in_dll(ctypes.CDLL(str(made)), "mmq_head")
    PersonalHead(tables)  # the core takes them
    assert (head.tokens, head.n_modalities, head.n_features, head.statistics, head.components) == (
        3,
        2,
        9,
        7,
        5,
    )
    for name, values in c_tables(tables).items():
        found = np.ctypeslib.as_array(getattr(head, name), values.shape)
        assert found.tobytes() == values.tobytes()
