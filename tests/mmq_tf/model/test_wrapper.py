# SPDX-License-Identifier: Apache-2.0
"""What is saved with a model around other models, and what was saved before they shared a base."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from mmq_tf.model.ensemble import EnsembleTraining
from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.training_model import MMQTraining
from mmq_tf.model.transformer import TransformerTraining

SAVED = Path(__file__).parent / "saved" / "ensemble_training.keras"
"""An `EnsembleTraining` of an `MMQTraining` and a `TransformerTraining`: variable i holds (i + 1) / 64."""


def test_a_file_of_earlier_code_loads_with_every_variable_in_its_place():
    model: Any = keras.saving.load_model(SAVED, compile=False)
    assert [type(part) for part in (model, *model.parts)] == [
        EnsembleTraining,
        MMQTraining,
        TransformerTraining,
    ]
    assert [type(part.net) for part in model.parts] == [MMQNet, MHACL]
    assert len(model.variables) == 62
    for index, variable in enumerate(model.variables):
        if "seed" not in variable.name:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), (index + 1) / 64)


def test_a_file_written_now_gives_the_same_model(tmp_path):
    model: Any = keras.saving.load_model(SAVED, compile=False)
    model.save(tmp_path / "again.keras")
    again: Any = keras.saving.load_model(tmp_path / "again.keras", compile=False)
    assert again.get_config() == model.get_config()
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
