"""A gateway between this machine and a vendor answers in its own ways: nothing dies of it, and all
of it is said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import httpx

from tests.system.rig import Rig
from tests.system.test_vendor_trouble import add_people, wait_linked
from tests.waiting import PATIENCE_S, wait_for

Answer = tuple[int, dict[str, str], bytes]
GARBLED: Answer = (200, {"Content-Encoding": "gzip"}, b"<html>not gzip</html>")
EMPTY: Answer = (200, {"Content-Type": "application/json"}, b"{}")
REDIRECT: Answer = (302, {"Location": "https://login.example/?token=hidden"}, b"")
OWN = ("host", "connection", "content-length", "content-encoding", "transfer-encoding")


class Gateway(ThreadingHTTPServer):
    """Hands requests on to `to`, or answers all of them with `answer`."""

    daemon_threads = True

    def __init__(self, to: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to, self.answer = to, cast(Answer | None, None)
        self.client = httpx.Client(trust_env=False, timeout=PATIENCE_S)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        gateway = cast(Gateway, self.server)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        status, headers, content = gateway.answer or self._pass_on(gateway, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _pass_on(self, gateway: Gateway, body: bytes) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
        answer = gateway.client.request(
            self.command, gateway.to + self.path, content=body, headers=headers
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in OWN}
        return answer.status_code, kept, answer.content

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def gateway(to: str) -> Iterator[Gateway]:
    held = Gateway(to)
    thread = threading.Thread(target=held.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield held
    finally:
        held.shutdown()
        thread.join()
        held.server_close()
        held.client.close()


def told(rig: Rig, *words: str) -> None:
    def shown() -> list[str]:
        return list(rig.status()["tenants"]["demo"]["troubles"])

    def all_in(lines: list[str]) -> bool:
        return all(any(each in line for line in lines) for each in words)

    wait_for(f"the status tells: {words}", shown, all_in)


def test_a_gateway_before_go_ends_nothing_and_pins_nothing(rig: Rig) -> None:
    """From the first start on; each of its ways is told in words, and the edits made meanwhile
    cross after it."""
    with gateway(rig.url("poweroffice")) as between:
        rig.variables = {"TANDEM_TENANTS__DEMO__POWEROFFICE__BASE_URL": f"{between.url}/v2"}
        between.answer = EMPTY
        add_people(rig, "kari-0")
        rig.start()
        told(
            rig,
            "poweroffice stopped: GET /ClientIntegrationInformation: the answer names no ClientId",
        )
        between.answer = None
        wait_linked(rig, "kari-0")
        pinned = [
            each["value"]["id"] for each in rig.records("control") if each["kind"] == "identity"
        ]
        assert "" not in pinned
        for answer, words in (
            (GARBLED, "its Content-Encoding says gzip, and the body is none"),
            (REDIRECT, "302 sends to https://login.example/, which is not followed"),
            (EMPTY, "a list of objects was expected"),
        ):
            between.answer = answer
            told(
                rig,
                f"poweroffice customer: GET "
                f"{'' if answer is EMPTY else between.url + '/v2'}/Customers",
                words,
            )
        rig.chargebee.post("/customers/kari-0", data={"phone": "+47 99"}).raise_for_status()
        between.answer = None
        wait_for(
            "the edit crossed",
            lambda: any(each.get("PhoneNumber") == "+47 99" for each in rig.go_customers()),
        )
        customer = rig.go_customers()[0]
        rig.go_edit(f"/Customers/{customer['Id']}", EmailAddress="kari@nytt.no")

        def crossed() -> bool:
            return any(
                each.get("email") == "kari@nytt.no"
                for each in rig.chargebee_list("/customers", "customer")
            )

        wait_for("Go is read again", crossed)
        assert [
            rig.problem(name) for name in ("linker", "chargebee_adapter", "poweroffice_adapter")
        ] == [None] * 3
        wait_for(
            "no trouble is left",
            lambda: rig.status()["tenants"]["demo"]["troubles"],
            lambda lines: not lines,
        )
