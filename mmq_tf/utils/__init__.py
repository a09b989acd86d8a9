# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all, quiet native libraries, parallel work."""
