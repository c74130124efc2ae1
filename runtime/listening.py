"""The sockets of a service, taken before it does anything: a port that is taken ends the start, not
the work."""

import errno
import ipaddress
import socket

from runtime.unusable import Unusable


def bound(host: str, port: int, key: str) -> list[socket.socket]:
    """A socket for each address of `host`, bound and not yet listening; port 0 takes a free one.
    Raises Unusable, which names the setting `key` of the port, or `host`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or "not a name"
        raise Unusable(
            f"host: {host} has no address ({words}); set host to one of this machine's"
        ) from None
    held: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            held.append(bind(family, address))
    except OSError as error:
        for each in held:
            each.close()
        raise Unusable(_why(error, host, port, key)) from None
    return held


def bind(family: int, address: object) -> socket.socket:
    """A stream socket bound to an address that may have just been used, not yet listening. Raises
    OSError."""
    # asyncio turns off the delay of small packets only where the protocol is named; it costs 40 ms
    # per reply.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)  # type: ignore[arg-type]
    except OSError:
        made.close()
        raise
    return made


def taken(host: str, port: int, key: str) -> str:
    """The line about a port that another process has."""
    other = f"end what has it (ss -ltnp 'sport = :{port}' names it), or set {key} to another port"
    return f"{key}: port {port} on {host} is taken; {other}"


def _why(error: OSError, host: str, port: int, key: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return taken(host, port, key)
        case errno.EACCES:
            return f"{key}: port {port} is not allowed for this user; set {key} to one above 1023"
        case errno.EADDRNOTAVAIL:
            usual = "127.0.0.1" if _is_v4(host) else "::1"
            return (
                f"host: {host} is no address of this machine; set host to one that is, such "
                f"as {usual}"
            )
    return (
        f"{key}: port {port} on {host} cannot be used ({error.strerror}); set {key} or host "
        f"to another"
    )


def _is_v4(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 4
    except ValueError:
        return True
