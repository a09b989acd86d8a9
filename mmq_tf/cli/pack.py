# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf pack`: the command of `mmq_bridge`."""

from __future__ import annotations

from mmq_bridge.cli.pack import pack_command

from mmq_tf.cli._host import HOST

command = pack_command(HOST)
