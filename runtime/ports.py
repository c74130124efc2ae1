"""Ports of this machine, kept between their choice and the moment a process of ours listens on
them.

A held port is bound, with SO_REUSEADDR, and never listened on. Whoever binds it without that option
is refused, and the system gives it to no outgoing connection; a server of ours (uvicorn, Java)
binds it too and listens. A name in Linux's abstract namespace keeps other processes of ours from
choosing the same one. Elsewhere a port is only looked at.
"""

import os
import random
import socket
import sys
import weakref
from collections.abc import Iterable

from runtime.listening import bind

HOST = "127.0.0.1"
# Below Linux's range for outgoing connections (32768 up): a client that keeps calling a port of
# that range while its server is down can, by chance, connect to itself and hold the port.
FREE_PORTS = range(20_000, 32_000)
TRIES = 1000
_HOLDS = sys.platform == "linux"


class PortTaken(OSError):
    """Somebody else has the port, or holds it."""


class HeldPort:
    """A port of the loopback interface that is ours until `release`, or until nobody knows of it
    any more."""

    def __init__(self, number: int) -> None:
        """Raises PortTaken."""
        self.number = number
        self._let_go: list[weakref.finalize[[int], HeldPort]] = []
        try:
            if _HOLDS:
                self._keep(_named(number))
            self._keep(bind(socket.AF_INET, (HOST, number)))
        except OSError as error:
            self.release()
            raise PortTaken(f"port {number} is taken: {error.strerror}") from None
        if not _HOLDS:
            self.release()

    def _keep(self, held: socket.socket) -> None:
        self._let_go.append(weakref.finalize(self, os.close, held.detach()))

    def release(self) -> None:
        """Let anybody have it. A server of ours that listens there goes on."""
        for let_go in self._let_go:
            let_go()


def _named(number: int) -> socket.socket:
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0tandem-port-{number}")
    except OSError:
        held.close()
        raise
    return held


def hold_one(preferred: Iterable[int] = ()) -> HeldPort:
    """The first of these ports that can be had, else some free one. Raises PortTaken when there is
    none."""
    for number in (*preferred, *random.sample(FREE_PORTS, TRIES)):
        try:
            return HeldPort(number)
        except PortTaken:
            continue
    raise PortTaken(f"no port from {FREE_PORTS[0]} to {FREE_PORTS[-1]} is free")
