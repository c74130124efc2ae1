"""Errors in Chargebee's own words (API v2 reference: error handling)."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse

from simulators.faults import Fault

CONTENT_TYPE: Final = "application/json;charset=utf-8"

# api_error_code: (HTTP status, type); None is untyped. The first code of a status stands for it in
# injected errors.
KNOWN: Final[Mapping[str, tuple[int, str | None]]] = {
    "invalid_request": (400, "invalid_request"),
    "param_wrong_value": (400, "invalid_request"),
    "duplicate_entry": (400, "invalid_request"),
    "resource_limit_exceeded": (400, "invalid_request"),
    "resource_limit_exhausted": (400, "invalid_request"),
    "configuration_incompatible": (400, None),
    "payment_processing_failed": (400, "payment"),
    "payment_method_verification_failed": (400, "payment"),
    "payment_method_not_present": (400, "payment"),
    "payment_gateway_currency_incompatible": (400, "payment"),
    "payment_intent_invalid": (400, "payment"),
    "api_authentication_failed": (401, None),
    "basic_authentication_failed": (401, None),
    "api_authorization_failed": (403, None),
    "request_blocked": (403, "operation_failed"),
    "resource_not_found": (404, "invalid_request"),
    "site_not_found": (404, None),
    "http_method_not_supported": (405, "invalid_request"),
    "invalid_state_for_request": (409, "invalid_request"),
    "unable_to_process_request": (422, "invalid_request"),
    "api_request_limit_exceeded": (429, "operation_failed"),
    "lock_timeout": (429, "operation_failed"),
    "third_party_api_request_limit_exceeded": (429, "operation_failed"),
    "internal_error": (500, "operation_failed"),
    "internal_temporary_error": (503, "operation_failed"),
    "db_connection_failure": (503, "invalid_request"),
    "site_not_ready": (503, "operation_failed"),
    "site_read_only_mode": (503, "operation_failed"),
}


class ApiError(Exception):
    """An error reply: HTTP `status`, `api_error_code` (which implies the `type`) and the wire
    parameter at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.type = KNOWN[code][1] if code in KNOWN else "invalid_request"
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The envelope with the legacy twins `error_code`, `error_msg`, `error_param`; nulls are
        left out."""
        fields = {
            "message": self.message,
            "type": self.type,
            "api_error_code": self.code,
            "param": self.param,
            "error_code": self.code,
            "error_msg": self.message,
            "error_param": self.param,
            "http_status_code": self.status,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def response(self) -> JSONResponse:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return JSONResponse(self.body(), self.status, headers=headers, media_type=CONTENT_TYPE)


def wrong_value(param: str, message: str) -> ApiError:
    return ApiError(400, "param_wrong_value", f"{param} : {message}", param=param)


def duplicate_entry(param: str, value: str) -> ApiError:
    return ApiError(
        400, "duplicate_entry", f"{param} : The value {value} is already present.", param=param
    )


def not_found(kind: str, id_: str, param: str | None = None) -> ApiError:
    return ApiError(404, "resource_not_found", f"{kind} {id_} not found", param=param)


def invalid_state(message: str) -> ApiError:
    return ApiError(409, "invalid_state_for_request", message)


def rate_limited(retry_after_s: int | None) -> ApiError:
    """Breach of the per-minute quota; recovers within about a minute."""
    words = "Sorry, you have exceeded the limit of requests allowed per minute"
    return ApiError(429, "api_request_limit_exceeded", words, retry_after_s=retry_after_s)


def server_error(status: int, retry_after_s: int | None) -> JSONResponse:
    """The reply of a fault that names only its status: 429, 500, 503 or any other of the error
    table."""
    return injected_error(Fault("error", status=status, retry_after=retry_after_s))


def injected_error(fault: Fault) -> JSONResponse:
    """The reply of a fault of kind `error` or `lock_timeout`.

    Status and code complete each other from the error table; a code that is not in it is taken as
    it is.
    """
    code = "lock_timeout" if fault.kind == "lock_timeout" else fault.api_error_code
    if code is None:
        of_status = (known for known, (status, _) in KNOWN.items() if status == fault.status)
        code = next(of_status, "internal_error")
    status = fault.status or KNOWN.get(code, (400, None))[0]
    words = "Sorry, something went wrong" if fault.param is None else f"{fault.param} : refused"
    return ApiError(
        status, code, words, param=fault.param, retry_after_s=fault.retry_after
    ).response()
