# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf verify`: the command of `mmq_bridge`, with tables."""

from __future__ import annotations

from mmq_bridge.cli.verify import verify_command

from mmq_tf.cli._host import HOST

command = verify_command(HOST)
