# SPDX-License-Identifier: Apache-2.0
"""Train one network, one fold, one run, and fine-tune what was trained."""
