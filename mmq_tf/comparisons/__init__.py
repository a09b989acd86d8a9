# SPDX-License-Identifier: Apache-2.0
"""What MMQ-Net is compared with: other transformers, and itself without one of its parts."""
