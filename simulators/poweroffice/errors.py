"""What the API answers when it refuses, in its four shapes.

GoError              ProblemDetails in lower case: {"title", "status", "detail"}
├─ NotFound          404 "Object(s) not found"
├─ Invalid           400, titled by the entity, e.g. "Customer validation error(s)"
├─ Conflict          409
└─ BindingError      400 of the web framework:
                      {"title", "status", "errors": {field: [messages]}, "traceId"}
GatewayError         {"statusCode", "message"} of the gateway in front of the API
EmptyError           status without a body (401 and 403 of the API itself)
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """Any refusal; `status` is the HTTP status and `body` the JSON body, None for an empty one."""

    is_problem = False

    def __init__(
        self, status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


class GoError(Refusal):
    is_problem = True

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(status, {"title": title, "status": status, "detail": detail})


class NotFound(GoError):
    """`kind` as the vendor words it ("Customer"); `key` names the property searched, "id" or
    "code"."""

    def __init__(
        self, kind: str, value: object, key: str = "id", title: str = "Object(s) not found"
    ) -> None:
        shown = f"'{value}'" if key == "code" else value
        super().__init__(404, title, f"{kind} with {key} = {shown} not found.")


class Invalid(GoError):
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(400, f"{kind} validation error(s)", detail)


class Conflict(GoError):
    def __init__(self, title: str, detail: str) -> None:
        super().__init__(409, title, detail)


class BindingError(Refusal):
    """A parameter or body that the web framework could not bind."""

    is_problem = True

    def __init__(self, errors: dict[str, list[str]]) -> None:
        body = {
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": "One or more validation errors occurred.",
            "status": 400,
            "errors": errors,
            "traceId": "00-00000000000000000000000000000000-0000000000000000-00",
        }
        super().__init__(400, body)


class GatewayError(Refusal):
    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, {"statusCode": status, "message": message}, headers)


class EmptyError(Refusal):
    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, None, headers)
