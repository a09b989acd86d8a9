# SPDX-License-Identifier: Apache-2.0
"""How export's gate hides and scores: by training's missingness and the results' macro-F1."""

from mmq_export.quantisation_gate import GateRules

from mmq_tf.augmentation.missingness import keep_modalities, keep_scattered
from mmq_tf.metrics.scores import macro_f1

GATE_RULES = GateRules(macro_f1, {"cells hidden": keep_scattered, "modalities gone": keep_modalities})
