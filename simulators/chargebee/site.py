"""State of the simulated site: clock, versions, tables with history, event log and settings."""

import random
import string
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import Any, Final

from simulators.chargebee.errors import duplicate_entry, not_found
from simulators.chargebee.settings import Settings

Row = dict[str, Any]
"""One resource as responses show it; keys that begin with an underscore stay inside."""

MAIN_USER: Final = "tandem"
ENDPOINT_ID: Final = "whv2_1"
HISTORY_LIMIT: Final = 20
EVENT_RETENTION_S: Final = 90 * 86_400


class Table:
    """The rows of one resource by id, with earlier versions so that lists can lag. Rows are
    replaced, never changed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._history: dict[str, deque[Row]] = {}
        self._id_by_name: dict[str, str] = {}

    def get(self, id_: str, param: str | None = None) -> Row:
        """Raises 404 `resource_not_found`."""
        row = self.find(id_)
        if row is None:
            raise not_found(self.kind, id_, param)
        return row

    def find(self, id_: str) -> Row | None:
        history = self._history.get(id_)
        return history[-1] if history else None

    def put(self, row: Row) -> None:
        self._history.setdefault(row["id"], deque(maxlen=HISTORY_LIMIT)).append(row)
        if "name" in row and row.get("status") != "deleted":
            self._id_by_name[row["name"]] = row["id"]

    def rows(self, as_of_ms: int | None = None) -> Iterator[Row]:
        """The newest version of each row, or of each row the newest one that is not younger than
        `as_of_ms`."""
        for history in self._history.values():
            if as_of_ms is None:
                yield history[-1]
                continue
            row = next((r for r in reversed(history) if r["resource_version"] <= as_of_ms), None)
            if row is not None:
                yield row

    def refuse_duplicate_id(self, id_: str) -> None:
        """Raises 400 unless the id is free; that of a deleted catalogue row is reusable [docs]."""
        row = self.find(id_)
        if row is not None and row.get("status") != "deleted":
            raise duplicate_entry("id", id_)

    def refuse_duplicate_name(self, name: str, but_id: str | None = None) -> None:
        """Raises 400 when another live row has the name."""
        holder = self.find(self._id_by_name.get(name, ""))
        if holder is None or holder["id"] == but_id:
            return
        if holder["name"] == name and holder["status"] != "deleted":
            raise duplicate_entry("name", name)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who causes a change, and which side effects the request headers switch off. A scheduled job
    has no user."""

    user: str = MAIN_USER
    source: str = "api"
    origin_user: str | None = None
    is_event_muted: bool = False
    is_webhook_muted: bool = False


Job = tuple[int, Callable[[], None]]


class Site:
    """Everything the simulated site remembers.

    `on_event` receives each event that should go out as a webhook; `on_put` (kind, row) each row
    and event that is stored or changed, and `on_wipe` is called when all of them are forgotten.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.on_event: Callable[[Row], None] = lambda event: None
        self.on_put: Callable[[str, Row], None] = lambda kind, row: None
        self.on_wipe: Callable[[], None] = lambda: None
        self.wipe()

    def wipe(self) -> None:
        """Forget all records and events; settings stay, and versions go on rising."""
        self.tables = {
            kind: Table(kind)
            for kind in (
                "customer",
                "item_family",
                "item",
                "item_price",
                "invoice",
                "order",
                "transaction",
                "credit_note",
            )
        }
        self.events: list[Row] = []
        self.events_by_id: dict[str, Row] = {}
        self.jobs: list[Job] = []
        self.order_ids_by_invoice: dict[str, dict[str, None]] = {}
        self.used_entity_ids: set[str] = set()
        self.mutations = 0
        self._last_version_ms = getattr(self, "_last_version_ms", 0)
        self._counters: dict[str, int] = {}
        self._random = random.Random(20_260_901)
        self._frozen_ms: int | None = None
        self.on_wipe()

    def resume(self, last_version_ms: int, counters: dict[str, int]) -> None:
        """Go on where an earlier run of this site ended: versions rise, numbers and random ids do
        not come again."""
        self._last_version_ms = last_version_ms
        self._counters = dict(counters)
        self._random = random.Random(last_version_ms)

    def progress(self) -> dict[str, Any]:
        """What `resume` needs, by name of its parameters."""
        return {"last_version_ms": self._last_version_ms, "counters": self._counters}

    def now_ms(self) -> int:
        if self._frozen_ms is not None:
            return self._frozen_ms
        return int((time() + self.settings.clock_offset_s) * 1000)

    def now_s(self) -> int:
        return self.now_ms() // 1000

    @contextmanager
    def loading(self, at_ms: int) -> Iterator[None]:
        """Inside, the clock stands at `at_ms` and nothing becomes an event: for data that was there
        before."""
        self._frozen_ms = at_ms
        try:
            yield
        finally:
            self._frozen_ms = None

    def rewind_versions(self) -> None:
        """Let versions start below any data that is about to be loaded; only for a site that was
        just wiped."""
        self._last_version_ms = 0

    def next_number(self, kind: str) -> str:
        self._counters[kind] = self._counters.get(kind, 0) + 1
        return str(self._counters[kind])

    def random_id(self, prefix: str = "") -> str:
        alphabet = string.ascii_letters + string.digits
        return prefix + "".join(self._random.choices(alphabet, k=17))

    def save(self, kind: str, row: Row) -> Row:
        """Store `row` with a new `resource_version` (ms, strictly rising over the site) and
        `updated_at` (s)."""
        version_ms = max(self.now_ms(), self._last_version_ms + 1)
        self._last_version_ms = version_ms
        self.mutations += 1
        saved = {
            **row,
            "resource_version": version_ms,
            "updated_at": version_ms // 1000,
            "object": kind,
        }
        saved = {name: value for name, value in saved.items() if value is not None}
        self.put(kind, saved)
        return saved

    def put(self, kind: str, row: Row) -> None:
        """Store `row` as it is, without a new version."""
        self.tables[kind].put(row)
        self.index(kind, row)
        self.on_put(kind, row)

    def index(self, kind: str, row: Row) -> None:
        """Bring the lookup tables up to date with a stored row."""
        if kind == "order":
            self.order_ids_by_invoice.setdefault(row["invoice_id"], {})[row["id"]] = None
        if kind == "invoice":
            self.used_entity_ids.update(
                line["entity_id"] for line in row["line_items"] if "entity_id" in line
            )

    def orders_of(self, invoice_id: str) -> list[Row]:
        """The orders of an invoice that are not deleted, oldest first."""
        orders = (
            self.tables["order"].get(id_) for id_ in self.order_ids_by_invoice.get(invoice_id, {})
        )
        return [order for order in orders if not order["deleted"]]

    def emit(self, event_type: str, content: Row, actor: Actor) -> None:
        """Append an event with a snapshot of `content` ({resource name: shown resource}) and hand
        it to webhooks."""
        if actor.is_event_muted:
            return
        status = "not_configured"
        if self.settings.webhook_url:
            status = "skipped" if actor.is_webhook_muted else "scheduled"
        if self.settings.webhook_url and self.settings.webhook_disabled:
            status = "disabled"
        event = {
            "id": f"ev_{int(self.next_number('event')):012d}{self.random_id()[:6]}",
            "occurred_at": self.now_s(),
            "source": actor.source,
            "user": actor.user or None,
            "origin_user": actor.origin_user,
            "object": "event",
            "api_version": "v2",
            "event_type": event_type,
            "webhook_status": status,
            "content": content,
        }
        event = {name: value for name, value in event.items() if value is not None}
        if self._frozen_ms is not None:
            return
        self.add_event(event)
        self.on_put("event", event)
        if status == "scheduled":
            self.on_event(event)

    def add_event(self, event: Row) -> None:
        self.events.append(event)
        self.events_by_id[event["id"]] = event

    def note_webhook(self, event: Row, status: str) -> None:
        """Write down how the delivery of `event` stands."""
        # The list is missing on the first delivery, so it is added afterwards.
        event["webhook_status"] = status
        event["webhooks"] = [{"id": ENDPOINT_ID, "webhook_status": status, "object": "webhook"}]
        self.on_put("event", event)

    def schedule(self, delay_s: float, job: Callable[[], None]) -> None:
        self.jobs.append((self.now_ms() + int(delay_s * 1000), job))

    def run_due_jobs(self) -> None:
        """Finish what is due by the site's clock, such as scheduled customer deletions."""
        now_ms = self.now_ms()
        due = [job for at_ms, job in self.jobs if at_ms <= now_ms]
        self.jobs = [entry for entry in self.jobs if entry[0] > now_ms]
        for job in due:
            job()

    def retained_events(self) -> Iterable[Row]:
        """Events less than 90 days old, the ones that the API still shows [docs]."""
        return (event for event in self.events if self.is_retained(event))

    def is_retained(self, event: Row) -> bool:
        return bool(event["occurred_at"] > self.now_s() - EVENT_RETENTION_S)


def shown(row: Row) -> Row:
    """`row` without its private keys."""
    return {name: value for name, value in row.items() if not name.startswith("_")}
