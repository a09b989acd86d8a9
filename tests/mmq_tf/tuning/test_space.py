# SPDX-License-Identifier: Apache-2.0
"""What is searched: every name exists, means what it says, and is asked back when it is misspelled."""

import pytest

from mmq_tf.baselines import BASELINES
from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.tuning.space import (
    OneOf,
    Span,
    arguments_of,
    check_names,
    preset_values,
    searched_methods,
    space_of,
    unsearched_beside,
    with_values,
)

CONFIG = load_config("simulated")


def test_every_value_reaches_the_configuration_or_the_method():
    for method in searched_methods(CONFIG):
        space = space_of(method, CONFIG)
        ends = {n: v.values[-1] if isinstance(v, OneOf) else v.high for n, v in space.items()}
        config, arguments = with_values(CONFIG, ends), arguments_of(method, ends)
        for name, value in ends.items():
            if name.startswith(f"{method}."):
                assert getattr(BASELINES[method](**arguments), name.partition(".")[2]) == value
            else:
                assert preset_values(method, config, [name]) == {name: value}
        assert config.model_validate(config.model_dump()) == config


@pytest.mark.parametrize("method", searched_methods(CONFIG))
def test_presets_lie_in_the_space_but_for_what_validation_people_choose(method):
    space = space_of(method, CONFIG)
    preset = preset_values(method, CONFIG, space)
    outside = {name for name in space if not space[name].holds(preset[name])}
    assert outside <= {"logistic_dropout.fixed_strength", "forest.max_features"}


def test_a_population_has_no_prior():
    config = load_config("simulated", ["normalisation.mode=population"])
    assert "normalisation.prior_tokens" not in space_of("forest", config)
    assert "normalisation.prior_tokens" in space_of("forest", CONFIG)


def test_methods_without_anything_to_search_are_left_out():
    assert check_names(CONFIG, [], ["model.dropout"]) == ["mmqnet"]
    assert check_names(CONFIG, ["forest"], []) == ["forest"]
    assert check_names(CONFIG, [], []) == list(searched_methods(CONFIG))


@pytest.mark.parametrize(
    ("methods", "only", "said"),
    [
        (["forrest"], [], r"methods: .* got 'forrest'\. Did you mean 'forest'\?"),
        ([], ["training.lerning_rate"], r"search: .* Did you mean 'training\.learning_rate'\?"),
        (["forest"], ["model.dropout"], r"search: model\.dropout is nothing of forest"),
    ],
)
def test_unknown_names_are_refused(methods, only, said):
    with pytest.raises(MMQError, match=said):
        check_names(CONFIG, methods, only)


def test_whole_numbers_and_names_are_told_apart():
    assert Span(1, 4).whole
    assert not Span(1.0, 4.0).whole
    assert not Span(1, 4).holds(2.5)
    assert not Span(1.0, 4.0).holds("sqrt")
    assert not Span(0, 4).holds(None)


def test_trees_and_the_clock_always_stand_beside_the_network():
    assert unsearched_beside({"mmqnet", "forest"}) == [
        "majority",
        "clock",
        "logistic_dropout",
        "boosted_dropout",
    ]
    assert unsearched_beside({"forest"}) == ["majority", "clock"]
