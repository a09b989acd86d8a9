# SPDX-License-Identifier: Apache-2.0
"""`listen`: what a device tells over Bluetooth LE (the extra `bluetooth`: bleak)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mmq_bridge.errors import BridgeError
from mmq_bridge.gatt.profile import profile

logger = logging.getLogger(__name__)

OnMessage = Callable[[str, dict[str, float]], None]


def _bleak() -> Any:
    try:
        return import_module("bleak").BleakClient
    except ImportError as error:
        raise BridgeError(
            "Bluetooth needs bleak, which is not installed: pip install 'mmq-bridge[bluetooth]'."
        ) from error


async def listen(address: str, on_message: OnMessage, until: asyncio.Event, client: Any = None) -> None:
    """Connect, subscribe to all characteristics of the profile, and tell what comes.

    Parameters
    ----------
    address
        Of the device.
    on_message
        Called with the message's name and its fields; see `Profile.decode`. What is no message of this
        version is logged and left out.
    until
        When it is set the device is left.
    client
        Class to connect by, like `bleak.BleakClient`, which is taken where none is given.

    Raises
    ------
    BridgeError
        When bleak is not installed.
    """
    messages = profile().messages

    def told(name: str) -> Callable[[object, bytearray], None]:
        def take(_: object, content: bytearray) -> None:
            try:
                found = profile().decode(name, bytes(content))
            except BridgeError as error:
                logger.warning("%s: %s", address, error)
                return
            on_message(name, found)

        return take

    async with (client or _bleak())(address) as device:
        for name, message in messages.items():
            await device.start_notify(message.uuid, told(name))
        await until.wait()
        for message in messages.values():
            await device.stop_notify(message.uuid)
