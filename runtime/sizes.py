"""What cannot be put on a topic, as words: too large a message, and text that no encoding can
hold."""

from contracts.messages import Problem
from contracts.said import say
from runtime.kafka import Record


def too_large(what: str, record: Record, max_bytes: int) -> Problem | None:
    """Why a record cannot be sent, or None. `what` begins the words."""
    size = record.size()
    if size <= max_bytes:
        return None
    said = say("too_many_bytes", what=what, count=f"{size:,}", most=f"{max_bytes:,}")
    return Problem.of("too_large", said)


def unencodable(what: str, error: UnicodeEncodeError) -> Problem:
    """Half a character (a lone surrogate) in what a vendor holds."""
    place = (
        error.object[max(0, error.start - 20) : error.end + 20]
        .encode("ascii", "backslashreplace")
        .decode()
    )
    return Problem.of("unencodable", say("no_unicode", what=what, value=repr(place)))
