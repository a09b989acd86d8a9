# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf play`: the command of `mmq_bridge`, over every recording that mmq-tf reads."""

from __future__ import annotations

from mmq_bridge.cli.play import play_command

from mmq_tf.cli._host import HOST

command = play_command(HOST)
