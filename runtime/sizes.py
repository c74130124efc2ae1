"""What cannot be put on a topic, as words: too large a message, and text that no encoding can
hold."""

from contracts.messages import Problem
from runtime.kafka import Record


def too_large(what: str, record: Record, max_bytes: int) -> Problem | None:
    """Why a record cannot be sent, or None. `what` begins the words."""
    size = record.size()
    if size <= max_bytes:
        return None
    words = (
        f"{what} has {size:,} bytes, and messages have at most {max_bytes:,}: shorten its texts or "
        f"split it, or raise "
        "kafka.max_message_bytes"
    )
    return Problem(code="too_large", message=words)


def unencodable(what: str, error: UnicodeEncodeError) -> Problem:
    """Half a character (a lone surrogate) in what a vendor holds."""
    place = (
        error.object[max(0, error.start - 20) : error.end + 20]
        .encode("ascii", "backslashreplace")
        .decode()
    )
    words = (
        f"{what} holds text that is no Unicode, near {place!r}: type it anew in the system it "
        f"comes from"
    )
    return Problem(code="unencodable", message=words)
