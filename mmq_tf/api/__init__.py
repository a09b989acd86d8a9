# SPDX-License-Identifier: Apache-2.0
"""What `import mmq_tf` offers: recordings, training and bundles, without the command line."""

from mmq_tf.api.deciding import load, open_recording
from mmq_tf.api.training import train

__all__ = ["load", "open_recording", "train"]
