# SPDX-License-Identifier: Apache-2.0
"""A cross-modal network saved by earlier code, in which the query projection is called `asking`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mmq_tf.model.cross_modal import CrossModalTransformer

SAVED = Path(__file__).parent / "saved" / "cross_modal.keras"
"""Two blocks, one of them cross-modal: variable i holds (i + 1) / 64."""


@pytest.mark.parametrize("saved_again", [False, True])
def test_a_file_of_earlier_code_loads_with_every_variable_in_its_place(saved_again, tmp_path):
    model: Any = keras.saving.load_model(SAVED)
    if saved_again:
        model.save(tmp_path / "again.keras")
        model = keras.saving.load_model(tmp_path / "again.keras")
    assert type(model) is CrossModalTransformer
    assert len(model.variables) == 30
    for index, variable in enumerate(model.variables):
        if "seed" not in variable.name:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), (index + 1) / 64)
    assert model.crossing[0].query_projection.kernel is not None
