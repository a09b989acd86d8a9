"""Train and judge masked-query transformers on body signals with sensors missing."""

__version__ = "0.1.0"
