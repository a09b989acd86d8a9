# SPDX-License-Identifier: Apache-2.0
"""Decisions, presence and state over Bluetooth LE: one table for C, Python and JavaScript."""
