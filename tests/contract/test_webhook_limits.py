"""The webhook receiver and senders that never finish, over real sockets. No verdict depends on how
long anything takes: a limit is either reached in any case or never."""

import asyncio
import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
import structlog
import uvicorn
from starlette.applications import Starlette

from contracts.settings import ChargebeeSettings
from runtime.requests import Bounded
from services.chargebee_adapter.webhooks import Limits, Receiver, route
from tests.waiting import NEVER_S, PATIENCE_S, wait_for

AT_ONCE_S = 0.05
TOKEN = base64.b64encode(b"hook:secret").decode()
HEAD = f"POST /webhooks/chargebee/demo HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {TOKEN}\r\n"


@contextmanager
def receiver(
    limits: Limits, taken: list[bytes], protocol: type[Bounded] = Bounded
) -> Iterator[int]:
    """The receiver on a port. A body that says so is never acknowledged."""

    async def take(body: bytes) -> int:
        taken.append(body)
        if body == b"for ever":
            await asyncio.Event().wait()
        return 1

    held = {"site": "x", "api_key": "k", "webhook_username": "hook", "webhook_password": "secret"}
    here = Receiver(ChargebeeSettings.model_validate(held), take)
    closed = Receiver(ChargebeeSettings.model_validate({"site": "x", "api_key": "k"}), take)
    app = Starlette(routes=[route({"demo": here, "closed": closed}, limits)])
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            app, log_level="critical", lifespan="off", http=protocol, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def sender(port: int, sent: str) -> socket.socket:
    """A connection that has sent so much and stays open."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.sendall(sent.encode())
    return connection


def answer(connection: socket.socket) -> str:
    """All that comes back until the server closes."""
    received = b""
    while chunk := connection.recv(4096):
        received += chunk
    return received.decode()


def body(content: str, announced: int | None = None) -> str:
    length = len(content) if announced is None else announced
    return f"{HEAD}Connection: close\r\nContent-Length: {length}\r\n\r\n{content}"


SLOW = [
    (body("{", 100), "408", "the body did not arrive within 0.05 s"),
    (
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n",
        "408",
        "the body did not arrive within 0.05 s",
    ),
    (body("for ever"), "503", "Kafka did not acknowledge in time"),
]


@pytest.mark.parametrize(
    ("sent", "status", "words"), SLOW, ids=["half a body", "half the chunks", "no Kafka"]
)
def test_the_limit_covers_the_body_and_kafka(sent: str, status: str, words: str) -> None:
    with receiver(Limits(within_s=AT_ONCE_S), []) as port, closing(sender(port, sent)) as slow:
        told = answer(slow)
        assert told.startswith(f"HTTP/1.1 {status} ")
        assert words in told


def test_a_body_that_is_announced_too_long_is_refused_before_it_comes() -> None:
    taken: list[bytes] = []
    with receiver(Limits(body_bytes=10, within_s=NEVER_S), taken) as port:
        with closing(sender(port, body("", 11))) as long:
            assert answer(long).startswith("HTTP/1.1 413 ")
        chunks = f"{HEAD}Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n"
        with closing(sender(port, chunks)) as long:
            assert answer(long).startswith("HTTP/1.1 413 ")
        with closing(sender(port, body("0123456789"))) as whole:
            assert answer(whole).startswith("HTTP/1.1 200 ")
    assert taken == [b"0123456789"]


def test_only_so_many_are_under_way() -> None:
    taken: list[bytes] = []
    with receiver(Limits(within_s=NEVER_S, requests=2), taken) as port, ExitStack() as open_ones:
        for _ in range(2):
            open_ones.enter_context(closing(sender(port, body("for ever"))))
        wait_for("both under way", lambda: len(taken), lambda count: count == 2)
        told = _asked(port)
        assert told.startswith("HTTP/1.1 503 ")
        assert "2 webhooks are under way" in told


def test_a_place_is_given_back() -> None:
    with receiver(Limits(within_s=NEVER_S, requests=1), []) as port:
        for _ in range(2):
            with closing(sender(port, body("{", 2))) as slow:
                slow.sendall(b"}")
                assert answer(slow).startswith("HTTP/1.1 200 ")
    with receiver(Limits(within_s=AT_ONCE_S, requests=1), []) as port:
        for _ in range(2):
            with closing(sender(port, body("{", 2))) as slow:
                assert answer(slow).startswith("HTTP/1.1 408 ")


def _asked(port: int) -> str:
    with closing(sender(port, body("{}"))) as connection:
        return answer(connection)


def test_who_is_not_known_cannot_hold_a_place() -> None:
    with receiver(Limits(within_s=NEVER_S, requests=1), []) as port:
        for stranger in ("/webhooks/chargebee/demo", "/webhooks/chargebee/nobody"):
            with closing(
                sender(port, f"POST {stranger} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{{")
            ) as half:
                assert answer(half).split()[1] == "401"
        assert _asked(port).startswith("HTTP/1.1 200 ")


def _signed(tenant: str, pair: str) -> str:
    token = base64.b64encode(pair.encode()).decode()
    signed = f"Authorization: Basic {token}\r\n" if pair else ""
    return (
        f"POST /webhooks/chargebee/{tenant} HTTP/1.1\r\nHost: x\r\n{signed}Content-Length: "
        f"2\r\n\r\n{{}}"
    )


@pytest.mark.parametrize("pair", ["", "hook:wrong", ":", "hook:secret"])
def test_a_stranger_is_not_told_which_tenants_exist(pair: str) -> None:
    """The answer for an unknown tenant, to the byte, is that for a wrong password; so is that of a
    tenant without credentials, whatever is sent."""
    taken: list[bytes] = []
    with receiver(Limits(within_s=NEVER_S), taken) as port:
        told = set()
        for tenant in ("nobody", "closed", *(["demo"] if pair != "hook:secret" else [])):
            with closing(sender(port, _signed(tenant, pair))) as stranger:
                told.add(
                    "\n".join(
                        line
                        for line in answer(stranger).splitlines()
                        if not line.startswith("date:")
                    )
                )
        assert len(told) == 1, told
        assert "HTTP/1.1 401 " in told.pop()
    assert taken == []


def test_what_a_stranger_sends_does_not_fill_the_log() -> None:
    """However many names he makes up: ten lines of a kind, each cut; those of a tenant are told
    apart from them."""
    with structlog.testing.capture_logs() as logged, receiver(Limits(within_s=NEVER_S), []) as port:
        for number in range(30):
            for tenant in (f"{number:03}" * 300, "demo"):
                with closing(sender(port, _signed(tenant, "hook:wrong"))) as stranger:
                    assert "HTTP/1.1 401 " in answer(stranger)
    refused = [each for each in logged if each["event"] == "webhook.refused"]
    assert len([each for each in refused if each["tenant"] == "demo"]) == 10
    made_up = [each for each in refused if each["tenant"] != "demo"]
    assert len(made_up) == 10
    assert all(len(each["tenant"]) < 100 and each["reason"] == "no such tenant" for each in made_up)


def test_connections_dropped_in_the_body_do_not_fill_the_log() -> None:
    with structlog.testing.capture_logs() as logged, receiver(Limits(within_s=NEVER_S), []) as port:
        for _ in range(20):
            with closing(sender(port, body("{", 100))) as half:
                half.shutdown(socket.SHUT_WR)
                answer(half)
    assert len([each for each in logged if each["event"] == "webhook.refused"]) == 10


@pytest.mark.parametrize("sent", ["", "POST /webhooks/char", HEAD])
def test_a_head_that_does_not_come_is_not_waited_for(sent: str) -> None:
    class Hasty(Bounded):
        head_within_s = AT_ONCE_S

    with receiver(Limits(within_s=NEVER_S), [], Hasty) as port, closing(sender(port, sent)) as half:
        assert answer(half).startswith("HTTP/1.1 408 ")


def test_the_next_head_on_a_connection_is_not_waited_for_either() -> None:
    class Hasty(Bounded):
        head_within_s = AT_ONCE_S

    whole = f"{HEAD}Content-Length: 2\r\n\r\n{{}}"
    with receiver(Limits(), [], Hasty) as port, closing(sender(port, whole)) as kept:
        assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")
        kept.sendall(b"POST /webhooks")
        assert "HTTP/1.1 408 " in answer(kept)


def test_only_so_many_connections_are_kept() -> None:
    class Narrow(Bounded):
        head_within_s = NEVER_S
        max_connections = 2

    with receiver(Limits(), [], Narrow) as port, ExitStack() as open_ones:
        for _ in range(2):
            open_ones.enter_context(closing(sender(port, "POST")))
        with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)) as third:
            assert answer(third).startswith("HTTP/1.1 503 ")
