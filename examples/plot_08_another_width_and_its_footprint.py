# SPDX-License-Identifier: Apache-2.0
"""
Another width, and what it costs
================================

A network has a size by name (``nano``, ``small``, ``base``) or your own width. This example builds a few, and
counts what each would cost on a device: parameters, bytes as int8, and multiply-accumulates per decision. No
training is needed for that: the cost does not depend on the weights.
"""

# %%
# Four networks for a wrist
# -------------------------
# ``dim`` is the width of a token inside the network; it must be a multiple of the number of heads.
import matplotlib.pyplot as plt
import numpy as np
from mmq_bridge.bundle.flatbuffer import count_macs
from mmq_bridge.native_output import quiet_native
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES

from mmq_tf.config.run_config import load_config
from mmq_tf.model import SIZES, MMQNet

config = load_config("simulated")
front_end = config.front_end
tokens, width, sensors = front_end.tokens, front_end.n_features, len(front_end.modality_names)
rng = np.random.default_rng(0)
features = rng.normal(size=(32, tokens, width)).astype(np.float32)
presence = (rng.random((32, tokens, sensors)) > 0.2).astype(np.float32)
windows = [{"features": features[i : i + 1], "presence": presence[i : i + 1]} for i in range(32)]


def footprint(change: str) -> tuple[int, int, int]:
    """Return parameters, bytes as int8 and multiply-accumulates of a network whose weights are random."""
    spec = load_config("simulated", [change]).training_spec
    net = MMQNet.from_spec(spec, classes=2, seed=0)
    net.set_weights([value + 0.02 * rng.random(value.shape, "float32") for value in net.get_weights()])
    with quiet_native():
        content = convert(deployed_model(net, tokens, width, sensors), windows, RECIPES["int8"])
    return net.count_params(), len(content), count_macs(content)


costs = {}
for name, change in (("dim 16", "model.dim=16"), ("nano", "model.size=nano"), ("dim 48", "model.dim=48")):
    costs[name] = footprint(change)
    print("{:7} {:7,} parameters {:8,} bytes {:10,} MACs a decision".format(name, *costs[name]))
print("sizes by name:", ", ".join(SIZES))

# %%
# Bytes against width
# -------------------
figure, axis = plt.subplots(figsize=(5, 3))
axis.bar(list(costs), [size / 1000 for _, size, _ in costs.values()])
axis.set(ylabel="int8 file in kB", title="Weights are random: cost only")
figure.tight_layout()

# %%
# Train with another width: ``mmq-tf train ... --set model.dim=48``. ``mmq-tf bench model`` also measures
# time, and the memory of a microcontroller.
