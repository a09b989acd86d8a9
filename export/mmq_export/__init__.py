# SPDX-License-Identifier: Apache-2.0
"""Turn a trained net into files for a device; the only package that imports TensorFlow."""
