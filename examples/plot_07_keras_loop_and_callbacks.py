# SPDX-License-Identifier: Apache-2.0
"""
Your own Keras loop and callbacks
=================================

For Keras, MMQ-Net is an ordinary model: ``compile``, ``fit``, ``save``. Or keep mmq-tf's training, which
judges on people it never saw, and hand it your callbacks. The people are SIMULATED.
"""

# %%
# Plain arrays
# ------------
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt

import mmq_tf
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

cohort = write_cohort(Path(tempfile.mkdtemp()) / "cohort", 4, Settings(minutes=9, modalities=("eda", "temp")))
settings = ["front_end.modalities={eda={sampling_rate_hz=4}, temp={sampling_rate_hz=4}}", "model.size=nano"]
windows = mmq_tf.load_windows("simulated", cohort, overrides=settings)
inputs, labels = windows.to_keras()
print({name: values.shape for name, values in inputs.items()}, labels.shape)

# %%
# An ordinary model
# -----------------
# ``features`` are ``[N, T, F]``: T tokens of 5 s, F features. ``presence`` is ``[N, T, M]``: which sensor
# could be used in which token. It is an input of its own, never guessed from zeros.
from mmq_tf.config.run_config import load_config
from mmq_tf.model import MMQNet

spec = load_config("simulated", settings).training_spec
net = MMQNet.from_spec(spec, classes=2, seed=0)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
net.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
history = net.fit(inputs, labels, epochs=5, batch_size=32, verbose=0)

# %%
figure, axis = plt.subplots(figsize=(5, 3))
axis.plot(history.history["loss"])
axis.set(xlabel="epoch", ylabel="training loss", title="SIMULATED")
figure.tight_layout()

# %%
# Callbacks in mmq-tf's own training
# ----------------------------------
# ``mmq_tf.train(..., callbacks=[...])`` calls them as ``keras.Model.fit`` does; their logs have
# ``val_auroc`` too. A function gives each fold its own::
#
#     def callbacks(fold):
#         stop = keras.callbacks.EarlyStopping("val_auroc", mode="max")
#         return [stop, keras.callbacks.CSVLogger(f"{fold}.csv")]
#
#     mmq_tf.train("stress-predict", "data/sp", callbacks=callbacks)
