# SPDX-License-Identifier: Apache-2.0
"""Search for better settings, inside the training people of every fold."""
