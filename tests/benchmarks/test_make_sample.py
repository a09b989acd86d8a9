# SPDX-License-Identifier: Apache-2.0
"""The sample that comes with mmq-bridge is what its script makes."""

import pytest
from make_sample import write
from mmq_bridge.recordings import sample

pytestmark = pytest.mark.slow


def test_every_committed_byte_is_made_again(tmp_path):
    write(tmp_path / "again")
    made, kept = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (tmp_path / "again", sample.FOLDER)
    )
    assert sample.STATE.name in made
    assert made == kept
    assert sum(map(len, kept.values())) < 300_000
