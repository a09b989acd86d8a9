# SPDX-License-Identifier: Apache-2.0
"""A page of one recording: every signal with its losses, presence, quality reasons and trials."""
