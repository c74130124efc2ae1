"""One edit is one trace, from Chargebee's webhook over Kafka to the write in Go and its outcome."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.system.rig import Rig, link_when
from tests.waiting import wait_for


class Step(NamedTuple):
    """One span: of which service and trace, its name, and the one it goes on from."""

    service: str
    trace: str
    id: str
    parent: str
    name: str


@pytest.fixture
def received(rig: Rig) -> Iterator[list[Step]]:
    """What services send to an OTLP receiver on this machine."""
    steps: list[Step] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for held in ExportTraceServiceRequest.FromString(body).resource_spans:
                named = {each.key: each.value.string_value for each in held.resource.attributes}
                for scope in held.scope_spans:
                    for span in scope.spans:
                        trace, own = span.trace_id.hex(), span.span_id.hex()
                        parent = span.parent_span_id.hex()
                        steps.append(Step(named["service.name"], trace, own, parent, span.name))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rig.variables |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        yield steps
        server.shutdown()


def test_an_edit_is_one_trace_over_three_services(rig: Rig, received: list[Step]) -> None:
    rig.start()
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    link = link_when(rig, "kari", "linked")
    assert link.poweroffice is not None
    answer = rig.chargebee.post("/customers/kari", data={"phone": "+47 99999999"})
    assert answer.status_code == 200

    def whole() -> list[Step]:
        """The steps of a trace in which all three services took part, one wrote an update, and the
        linker took its outcome: each service sends its own when it likes."""
        for trace in {each.trace for each in received}:
            steps = [each for each in received if each.trace == trace]
            services = {each.service for each in steps}
            writes = [each for each in steps if each.name == "update customer in poweroffice"]
            answered = any(each.name == "decide outcome of customer" for each in steps)
            everybody = {"chargebee_adapter", "linker", "poweroffice_adapter"} <= services
            if writes and answered and everybody:
                return steps
        return []

    steps = wait_for("an update in one trace", whole)
    by_id = {each.id: each for each in steps}
    (write,) = [each for each in steps if each.name == "update customer in poweroffice"]
    way, at = [write.service], write
    while at.parent in by_id:
        at = by_id[at.parent]
        way.append(at.service)
    assert list(dict.fromkeys(way)) == ["poweroffice_adapter", "linker", "chargebee_adapter"]
    # Its requests to Go, and the linker that takes the outcome, go on from the write.
    below = {each.service for each in steps if each.parent == write.id}
    assert below == {"poweroffice_adapter", "linker"}
