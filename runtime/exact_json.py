"""JSON as vendors write it, read without loss."""

import json
import re
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decoded(content: bytes, *, max_digits: int) -> Any:
    """JSON with exact numbers. Half a surrogate pair, which no text may hold, becomes U+FFFD.
    Raises ValueError, also for a number with a fraction or an exponent of more than `max_digits`
    before or behind the point."""
    try:
        body = json.loads(content, parse_float=partial(_number, max_digits=max_digits))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return _encodable(body) if _SURROGATE.search(content) else body


def _number(written: str, *, max_digits: int) -> Decimal:
    try:
        number = Decimal(written)
    except InvalidOperation as error:
        raise ValueError("a number whose exponent has no end") from error
    if abs(number.adjusted()) > max_digits:
        # Written out, 1e999999999 would fill the memory.
        raise ValueError(f"a number of {abs(number.adjusted())} digits")
    return number


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return value
