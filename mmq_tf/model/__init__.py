# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net, ME-MHACL and their losses, written in `keras.ops` so that any Keras backend trains them."""

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.model.attention import AbsorbedAttention
from mmq_tf.model.block_dense import BlockDense
from mmq_tf.model.dyt import DyT
from mmq_tf.model.encoder import EncoderBlock
from mmq_tf.model.ensemble import Ensemble
from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.queries import CategoryQueries, InterferenceQueries, ModalityQueries
from mmq_tf.model.token_net import SIZES, TokenNet
from mmq_tf.model.tokens import TokenEmbedding
from mmq_tf.model.training_model import MMQTraining

__all__ = [
    "MHACL",
    "SIZES",
    "AbsorbedAttention",
    "BlockDense",
    "CategoryQueries",
    "DyT",
    "EncoderBlock",
    "Ensemble",
    "InterferenceQueries",
    "LossWeights",
    "MMQNet",
    "MMQTraining",
    "ModalityQueries",
    "TokenEmbedding",
    "TokenNet",
]
