# SPDX-License-Identifier: Apache-2.0
"""What training adds or hides: artefacts in raw signals, missing tokens and channels."""
