# SPDX-License-Identifier: Apache-2.0
"""What a recording is, and recordings that are read with NumPy alone: recording folders and E4 exports."""
