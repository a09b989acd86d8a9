"""Your own recordings: a folder described by its ``mmq-tf.toml``."""
