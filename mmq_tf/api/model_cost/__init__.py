# SPDX-License-Identifier: Apache-2.0
"""What a decision costs: our models beside others, in one process, in turn."""
