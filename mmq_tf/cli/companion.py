# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf companion`: the command of `mmq_bridge`."""

from __future__ import annotations

from mmq_bridge.cli.companion import companion_command

from mmq_tf.cli._host import HOST

command = companion_command(HOST)
