# SPDX-License-Identifier: Apache-2.0
"""What every model around other models shares: training models and ensembles."""

import dataclasses
from typing import Any, ClassVar

import keras

from mmq_tf.config.loss_weights import LossWeights


class Wrapper(keras.Model):
    """A model around other models, which have built themselves and are saved inside it.

    Attributes
    ----------
    wrapped : str
        The constructor's argument, and attribute, that holds the model or the list of models.
    """

    wrapped: ClassVar[str] = "net"

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """Every seed generator that training draws from."""
        inner = getattr(self, self.wrapped)
        models = inner if isinstance(inner, list) else [inner]
        return [generator for model in models for generator in model.seed_generators]

    def build(self, input_shape=None):
        """Nothing is left to build: what is inside has built itself."""
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Return what is inside, as Keras writes it."""
        inner = keras.saving.serialize_keras_object(getattr(self, self.wrapped))
        return {**super().get_config(), self.wrapped: inner}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Rebuild what is inside, then the model around it."""
        inner = keras.saving.deserialize_keras_object(config[cls.wrapped], custom_objects=custom_objects)
        return cls(**{**config, cls.wrapped: inner})


class NetTraining(Wrapper):
    """A model that trains one network by weighted losses.

    Parameters
    ----------
    net : TokenNet
        Its weights are the ones trained.
    loss_weights : LossWeights or dict, optional
        Weight of each loss.
    """

    def __init__(self, net: Any, loss_weights: LossWeights | dict | None = None, **kwargs):
        super().__init__(**kwargs)
        self.net = net
        if isinstance(loss_weights, dict):
            loss_weights = LossWeights(**loss_weights)
        self.loss_weights: LossWeights = loss_weights or LossWeights()

    def get_config(self) -> dict[str, Any]:
        """Return the net and the loss weights."""
        return {**super().get_config(), "loss_weights": dataclasses.asdict(self.loss_weights)}
