# SPDX-License-Identifier: Apache-2.0
"""Widths and depths by configuration."""

import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.model.cross_modal import CrossModalTransformer
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.transformer import Transformer
from mmq_tf.training.fit import new_network

SHAPE = {"n_tokens": 2, "feature_sizes": {"eda": 2, "temp": 1}, "tasks": {"stress": 2}}


@pytest.mark.parametrize("name", ["mmqnet", "mhacl"])
def test_a_network_is_as_wide_and_deep_as_the_configuration_says(name):
    widths = ["model.dim=48", "model.heads=2", "model.blocks=2"]
    config = load_config("simulated", [f"model.name={name}", "model.line=false", *widths])
    net = new_network(config.training_spec, 2, 0).net
    assert (net.dim, net.heads, net.blocks, net.hidden) == (48, 2, 2, 96)


def test_without_widths_the_size_counts_and_the_file_does_not_name_them():
    config = load_config("simulated", [])
    assert config.model.widths == {}
    assert not {"dim", "heads", "blocks", "hidden"} & set(config.to_toml().split())
    assert MMQNet.sizes_of("nano") == MMQNet.sizes_of("nano", {"dim": 32})


@pytest.mark.parametrize("kind", [Transformer, CrossModalTransformer])
def test_the_baselines_follow_with_two_more_blocks(kind):
    net = kind.from_size("nano", **SHAPE, widths={"dim": 16, "blocks": 2, "hidden": 24})
    assert (net.dim, net.blocks, net.hidden) == (16, 4, 24)


@pytest.mark.parametrize("setting", ["dim=2", "dim=9.5", "heads=0", "blocks=0", "hidden=1", "blocks=100"])
def test_impossible_widths_are_refused(setting):
    with pytest.raises(MMQError, match=f"model.{setting.partition('=')[0]}"):
        load_config("simulated", [f"model.{setting}"])


def test_a_width_must_be_divisible_among_the_heads():
    with pytest.raises(MMQError, match=r"model\.dim: expected a multiple of twice model\.heads = 3, got 32"):
        MMQNet.from_size("nano", **SHAPE, widths={"heads": 3})
