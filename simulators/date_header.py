"""The Date header of an answer, by the simulator's own clock; uvicorn's own is switched off."""

from email.utils import formatdate
from typing import Final

from starlette.types import Message

NAME: Final = b"date"


def dated(message: Message, now_s: float) -> Message:
    """The head of an answer with `Date`, in whole seconds as HTTP writes it; other messages as they
    are."""
    if message["type"] != "http.response.start":
        return message
    others = [(name, value) for name, value in message.get("headers", ()) if name.lower() != NAME]
    return {**message, "headers": [*others, (NAME, formatdate(now_s, usegmt=True).encode())]}
