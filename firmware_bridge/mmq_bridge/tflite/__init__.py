# SPDX-License-Identifier: Apache-2.0
"""Models as files: read with every bound checked, compared with what export writes, run apart."""
