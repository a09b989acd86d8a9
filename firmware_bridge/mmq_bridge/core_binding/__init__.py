# SPDX-License-Identifier: Apache-2.0
"""The compiled C core, called from Python."""
