# SPDX-License-Identifier: Apache-2.0
"""What a search may change, of each method, and between which values. All of it stands here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmq_tf.baselines import BASELINES, Clock, Majority
from mmq_tf.config.run_config import RunConfig
from mmq_tf.errors import MMQError
from mmq_tf.utils.suggestion import did_you_mean

Value = float | int | str


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, both included; whole ones where both are written so."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Whether a value lies in it."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (not self.whole or value == int(value))


@dataclass(frozen=True)
class OneOf:
    """Some values, without an order."""

    values: tuple[Value, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return value in self.values


Space = Mapping[str, Span | OneOf]
"""What may be changed by its name, and where its values lie."""

FOR_ALL: Space = {"normalisation.prior_tokens": Span(1.0, 30.0, log=True)}
"""Of the windows, whatever learns from them."""
NETWORK: Space = {
    "training.learning_rate": Span(3e-4, 5e-3, log=True),
    "training.epochs": OneOf((20, 40, 80)),
    "training.weight_decay": Span(0.01, 0.5, log=True),
    "training.feature_noise": Span(0.0, 1.2),
    "training.feature_shift": Span(0.0, 1.5),
    "model.dropout": Span(0.0, 0.5),
    "model.size": OneOf(("nano", "small")),
}
"""Of the run's network: keys of its configuration."""
BASELINE: Mapping[str, Space] = {
    "logistic_dropout": {"fixed_strength": Span(1e-4, 3.0, log=True), "copies": Span(0, 4)},
    "forest": {"min_samples_leaf": Span(1, 30, log=True), "max_features": Span(0.02, 1.0, log=True)},
    "boosted_dropout": {
        "learning_rate": Span(0.02, 0.3, log=True),
        "rounds": Span(30, 300, log=True),
        "leaves": Span(4, 31, log=True),
        "min_samples_leaf": Span(5, 60, log=True),
        "copies": Span(0, 4),
    },
}
"""Of the methods beside it: arguments of their classes, named METHOD.ARGUMENT."""

FLOOR = (Majority.name, Clock.name)
"""What no table of searches goes without: the most frequent class, and what elapsed time alone tells."""


def searched_methods(config: RunConfig) -> tuple[str, ...]:
    """Return the methods that can be searched: the run's network first."""
    return (config.model.name, *BASELINE)


def unsearched_beside(methods: Collection[str]) -> list[str]:
    """Return what stands beside searched methods as it is: majority, clock, and a network's other rivals."""
    with_network = any(method not in BASELINE for method in methods)
    return [*FLOOR, *(name for name in BASELINE if with_network and name not in methods)]


def space_of(method: str, config: RunConfig, only: Sequence[str] = ()) -> dict[str, Span | OneOf]:
    """Return what is searched of one method; of `only`, where some names are given."""
    own = BASELINE.get(method)
    named = NETWORK if own is None else {f"{method}.{name}": values for name, values in own.items()}
    shared = {} if config.normalisation.mode == "population" else FOR_ALL
    return {name: values for name, values in {**named, **shared}.items() if not only or name in only}


def check_names(config: RunConfig, methods: Sequence[str], only: Sequence[str]) -> list[str]:
    """Return the methods to search, those with something to search in them.

    Parameters
    ----------
    config : RunConfig
    methods
        All of `searched_methods` where none is named.
    only
        Names of what is searched; all where none is named.

    Raises
    ------
    MMQError
        If a method or a name is unknown, or nothing is left to search.
    """
    there = searched_methods(config)
    _check_known("methods", methods, there)
    _check_known("search", only, [name for method in there for name in space_of(method, config)])
    found = [name for name in there if name in (methods or there) and space_of(name, config, only)]
    if not found:
        raise MMQError(f"search: {', '.join(only)} is nothing of {', '.join(methods)}; name another.")
    return found


def _check_known(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            unique = list(dict.fromkeys(known))
            raise MMQError(
                f"{what}: expected some of {', '.join(unique)}; got {name!r}.{did_you_mean(name, unique)}"
            )


def preset_values(method: str, config: RunConfig, names: Iterable[str]) -> dict[str, Any]:
    """Return the values that a method has where nothing is searched."""
    plain = BASELINES[method]() if method in BASELINES else None
    return {
        name: getattr(plain, name.partition(".")[2])
        if plain is not None and name.startswith(f"{method}.")
        else _config_value(config, name)
        for name in names
    }


def _config_value(config: RunConfig, name: str) -> Any:
    section, _, key = name.partition(".")
    return getattr(getattr(config, section), key)


def with_values(config: RunConfig, values: Mapping[str, Value]) -> RunConfig:
    """Return a configuration with the values that are its own; a baseline's arguments are not."""
    sections: dict[str, dict[str, Value]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        if section not in BASELINE:
            sections.setdefault(section, {})[key] = value
    parts = {name: getattr(config, name).model_copy(update=own) for name, own in sections.items()}
    return config.model_copy(update=parts)


def arguments_of(method: str, values: Mapping[str, Value]) -> dict[str, Any]:
    """Return the values that are arguments of a baseline's class."""
    begin = f"{method}."
    return {name.removeprefix(begin): value for name, value in values.items() if name.startswith(begin)}
