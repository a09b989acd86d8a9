# SPDX-License-Identifier: Apache-2.0
"""
Reading the int8 gate
=====================

``mmq-tf export --int8`` rounds weights and activations to 8 bits. Before it writes a bundle it compares
the int8 model with the float one, and refuses when too much is lost. This example reads what the gate
wrote into the bundle of ``wrist-stress``.
"""

# %%
# What was measured
# -----------------
# ``manifest.json`` holds the numbers, ``MODEL_CARD.md`` the same for people.
import json

from mmq_tf import pretrained

folder = pretrained.path("wrist-stress")
manifest = json.loads((folder / "manifest.json").read_text())
gate = manifest["model"]
print(f"macro-F1 float32 {gate['float32_macro_f1']:.4f}, int8 {gate['int8_macro_f1']:.4f}")
print(f"lost {gate['drop_points']:.2f} points; allowed {gate['max_drop_points']} points")
print(f"same class in {gate['agreement']:.2%} of {gate['judged_windows']} windows")

# %%
# By kind of window
# -----------------
# The gate judges windows as they are, with random cells hidden, and with whole sensors gone: rounding must
# not cost more just when sensors are missing.
card = (folder / "MODEL_CARD.md").read_text()
print(card.partition("## Float against int8")[2].partition("## What it costs")[0].strip())

# %%
# What it means
# -------------
# - A *negative* loss is chance: int8 was right where float was wrong.
# - The gate says nothing about people the model never met; ``How the run was judged`` on the card does.
# - ``agreement`` matters for a wearer: it is how often rounding changes the answer.
# - If the gate refuses your run: train longer, try ``--qat`` (training with rounded numbers), or allow
#   more with
#   ``--max-drop`` and say so where you report it.
print({name: gate[name] for name in ("int8_bytes", "arena_bytes", "macs")})
assert gate["drop_points"] <= gate["max_drop_points"]
