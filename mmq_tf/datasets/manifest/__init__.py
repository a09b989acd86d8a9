# SPDX-License-Identifier: Apache-2.0
"""Your own recordings: a folder described by its ``mmq-tf.toml``."""
