# SPDX-License-Identifier: Apache-2.0
"""Recordings and windows as MNE objects, and back."""
