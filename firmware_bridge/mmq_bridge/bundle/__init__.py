# SPDX-License-Identifier: Apache-2.0
"""What lies in a bundle beside its manifest, and whether it computes what it computed at export."""
