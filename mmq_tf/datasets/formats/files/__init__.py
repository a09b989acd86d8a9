# SPDX-License-Identifier: Apache-2.0
"""Readers of file formats that trust nothing: sizes are compared with caps before anything is allocated."""
