"""Errors in Chargebee's own words (API v2 reference: error handling)."""

from typing import Any

from starlette.responses import JSONResponse

CONTENT_TYPE = "application/json;charset=utf-8"


class ApiError(Exception):
    """An error reply: HTTP `status`, `api_error_code`, `type` (None = untyped) and the wire parameter at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        type_: str | None = "invalid_request",
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.type = type_
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The envelope with the legacy twins `error_code`, `error_msg`, `error_param`; nulls are left out."""
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
    return ApiError(400, "duplicate_entry", f"{param} : The value {value} is already present.", param=param)


def not_found(kind: str, id_: str, param: str | None = None) -> ApiError:
    return ApiError(404, "resource_not_found", f"{kind} {id_} not found", param=param)


def invalid_state(message: str) -> ApiError:
    return ApiError(409, "invalid_state_for_request", message)


def rate_limited(retry_after_s: int | None) -> ApiError:
    """Breach of the per-minute quota; recovers within about a minute."""
    return ApiError(
        429,
        "api_request_limit_exceeded",
        "Sorry, you have exceeded the limit of requests allowed per minute",
        type_="operation_failed",
        retry_after_s=retry_after_s,
    )


def server_error(status: int, retry_after_s: int | None) -> JSONResponse:
    """The reply of an injected fault: 429, 500 `internal_error` or 503 `internal_temporary_error`."""
    if status == 429:
        return rate_limited(retry_after_s).response()
    code = "internal_error" if status == 500 else "internal_temporary_error"
    error = ApiError(status, code, "Sorry, something went wrong", type_="operation_failed", retry_after_s=retry_after_s)
    return error.response()
