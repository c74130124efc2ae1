"""The desks of the fault campaign: a round may last longer than a token of Go."""

import httpx

from tests.faults.desk import Login


class Gate:
    """Gives tokens, and takes each of them for so many requests."""

    def __init__(self, lasts: int) -> None:
        self._lasts, self.tokens, self.asked = lasts, 0, list[str]()
        self._left = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/OAuth/Token":
            assert request.headers["Authorization"].startswith("Basic ")
            self.tokens += 1
            self._left = self._lasts
            return httpx.Response(200, json={"access_token": f"t{self.tokens}"})
        self.asked.append(request.headers["Authorization"])
        if self._left == 0 or request.headers["Authorization"] != f"Bearer t{self.tokens}":
            return httpx.Response(401)
        self._left -= 1
        return httpx.Response(200, json=[])


def person(gate: Gate) -> httpx.Client:
    return httpx.Client(
        base_url="http://go/v2",
        auth=Login("http://go/OAuth/Token"),
        transport=httpx.MockTransport(gate),
    )


def test_a_token_that_has_ended_is_renewed() -> None:
    """And one that lasts is kept; nobody sees a refusal."""
    gate = Gate(lasts=2)
    with person(gate) as go:
        assert [go.get("/Customers").status_code for _ in range(5)] == [200] * 5
    assert gate.tokens == 3
    assert gate.asked.count("Bearer t1") == 3


def test_a_person_who_is_refused_sees_it() -> None:
    """After one new token."""
    gate = Gate(lasts=0)
    with person(gate) as go:
        assert go.get("/Customers").status_code == 401
    assert gate.tokens == 2
