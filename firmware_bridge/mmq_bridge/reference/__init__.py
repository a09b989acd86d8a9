# SPDX-License-Identifier: Apache-2.0
"""Float64 definitions of every feature and rule, which tests compare the core with."""
