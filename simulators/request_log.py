"""The log of requests that both simulators keep."""

from collections import Counter, deque
from dataclasses import dataclass, fields
from typing import Any, Final

LOG_LIMIT: Final = 5000


@dataclass(slots=True)
class LogEntry:
    """One request: `at` UTC seconds, `path` the path template, `status` 0 when the connection was
    dropped unhandled."""

    at: float
    method: str
    path: str
    status: int
    user: str | None
    params: Any
    is_write: bool


class RequestLog:
    """Counts per operation and the last 5000 requests."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=LOG_LIMIT)
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._writes: Counter[str | None] = Counter()

    def add(self, entry: LogEntry) -> None:
        self._entries.append(entry)
        self._counts[entry.user, f"{entry.method} {entry.path}"] += 1
        if entry.is_write and 200 <= entry.status < 300:
            self._writes[entry.user] += 1

    def clear(self) -> None:
        self._entries.clear()
        self._counts.clear()
        self._writes.clear()

    def report(
        self, user: str | None, params_name: str, *, counts_only: bool = False
    ) -> dict[str, Any]:
        """`{"total", "counts", "writes", "log"}`, of one user or of all (None). Who asks again and
        again asks for the counts, since the log of some thousand requests takes tens of
        milliseconds."""
        counts: Counter[str] = Counter()
        for (name, operation), count in self._counts.items():
            if user in (None, name):
                counts[operation] += count
        return {
            "total": counts.total(),
            "counts": dict(sorted(counts.items())),
            "writes": sum(n for name, n in self._writes.items() if user in (None, name)),
            "log": []
            if counts_only
            else [_shown(e, params_name) for e in self._entries if user in (None, e.user)],
        }


def _shown(entry: LogEntry, params_name: str) -> dict[str, Any]:
    names = (field.name for field in fields(LogEntry))
    return {params_name if name == "params" else name: getattr(entry, name) for name in names}
