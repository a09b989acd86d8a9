# SPDX-License-Identifier: Apache-2.0
"""What all networks over tokens share: saved arguments, seeds, sizes, refusals."""

import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.model.cross_modal import CrossModalTransformer
from mmq_tf.model.memory_tokens import MemoryTransformer
from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.transformer import Transformer, TransformerTraining

SHAPE = 4, {"ppg": 3, "eda": 2}, {"stress": 2}
NETS = [MMQNet, MHACL, Transformer, MemoryTransformer, CrossModalTransformer]


@pytest.mark.parametrize("kind", NETS)
def test_a_net_is_its_saved_arguments(kind):
    net = kind.from_size("small", *SHAPE, dropout=0.1, seed=5)
    again = kind.from_config(net.get_config())
    assert again.get_config() == net.get_config()
    for one, other in zip(net.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [MMQNet, MHACL, Transformer])
def test_every_net_names_the_seed_generators_of_its_dropout(kind):
    net = kind.from_size("small", *SHAPE, dropout=0.1)
    assert len(net.seed_generators) == net.blocks
    assert not kind.from_size("small", *SHAPE).seed_generators


def test_the_training_model_names_them_too():
    net = MHACL.from_size("nano", *SHAPE, dropout=0.1)
    assert TransformerTraining(net).seed_generators == net.seed_generators


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_tokens": 0}, "`n_tokens` must be at least 1, got 0"),
        ({"hidden": 0}, "`hidden` must be at least 1"),
        ({"feature_sizes": {}}, "`feature_sizes` must name modalities"),
        ({"tasks": {}}, "`tasks` must name tasks"),
        ({"dropout": -0.1}, "`dropout` must be at least 0"),
    ],
)
def test_impossible_sizes_are_refused_by_name(kind, change, message):
    n_tokens, feature_sizes, tasks = SHAPE
    given = {"n_tokens": n_tokens, "feature_sizes": feature_sizes, "tasks": tasks, **change}
    with pytest.raises(MMQError, match=f"{kind.__name__}: {message}"):
        kind(given.pop("n_tokens"), given.pop("feature_sizes"), given.pop("tasks"), **given)
