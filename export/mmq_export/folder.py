# SPDX-License-Identifier: Apache-2.0
"""The folder of a bundle, written whole or not at all."""

from __future__ import annotations

from mmq_bridge.decision.manifest import MANIFEST_NAME
from mmq_bridge.output_folder import OutputFolder

from mmq_export.errors import ExportError

BUNDLE = OutputFolder("bundle", MANIFEST_NAME, ExportError)
