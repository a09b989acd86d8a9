# SPDX-License-Identifier: Apache-2.0
"""SIMULATED people: their bodies and sensors, and files in the layout of published data sets."""
