"""A port that was chosen stays ours until a server of ours listens there."""

import socket
import subprocess
import sys

import pytest

from runtime.ports import FREE_PORTS, HOST, HeldPort, PortTaken, hold_one

linux = pytest.mark.skipif(sys.platform != "linux", reason="ports are only looked at there")
ELSEWHERE = "import sys; from runtime.ports import HeldPort; HeldPort(int(sys.argv[1]))"


def listening(port: int) -> socket.socket:
    """As uvicorn and Java's server sockets do."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, port))
    server.listen()
    return server


@linux
def test_nobody_else_gets_a_held_port() -> None:
    """Neither a program that binds it, nor this process, nor another one of ours; after its release
    all may."""
    held = hold_one()
    assert held.number in FREE_PORTS
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, held.number))
    with pytest.raises(PortTaken, match=f"port {held.number} is taken"):
        HeldPort(held.number)
    command = [sys.executable, "-c", ELSEWHERE, str(held.number)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "PortTaken" in refused.stderr
    held.release()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@linux
def test_a_server_listens_on_a_held_port_and_again_after_a_restart() -> None:
    """While it is down, nobody answers and nobody else can take it."""
    held = hold_one()
    for _ in range(2):
        with listening(held.number) as server, socket.create_connection((HOST, held.number)):
            server.accept()[0].close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, held.number))


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    """The preferred ones come first."""
    free = hold_one()
    free.release()
    assert hold_one([free.number]).number == free.number
    with listening(free.number):
        assert hold_one([free.number]).number != free.number
