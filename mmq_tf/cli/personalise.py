# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf personalise`: the command of `mmq_bridge`, over every recording that mmq-tf reads."""

from __future__ import annotations

from mmq_bridge.cli.personalise import personalise_command

from mmq_tf.cli._host import HOST

command = personalise_command(HOST)
