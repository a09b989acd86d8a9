# SPDX-License-Identifier: Apache-2.0
"""The deployed int8 network as C: read from its .tflite, planned, written as source and as a plan."""
