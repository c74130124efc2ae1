"""Each metric is declared once, by the rules of Prometheus, and moves when what it is about
happens."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY
from prometheus_client.core import Metric

from contracts.entities import System
from contracts.links import encode
from contracts.messages import Command, Link, LinkState, Outcome, Side
from contracts.settings import KafkaSettings
from runtime.adapter_figures import Seen, figures_of
from runtime.answered import propagation
from runtime.clock import utc_now
from runtime.kafka import Kafka, Record
from runtime.lag import Lag
from runtime.metrics import Collected, Declared
from runtime.rate_limiter import BULK, RateLimiter
from runtime.transactions import PartitionTransactions
from runtime.transport import TURN, Turn, VendorTransport
from runtime.vendor import Retriable
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.linker import figures
from tests.flow.memory import PREFIX, consumer_record
from tests.generated import DECLARED
from tests.unit.bench import KARI, Bench

AT = "2026-11-20T10:00:00.000000Z"
OURS = ("contracts", "runtime", "services")


def samples(metrics: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Values by the name of the metric and the values of its labels, in the order of their
    declaration."""
    labels = {each.name: each.labels for each in DECLARED}
    return {
        (each.name, *(each.labels[label] for label in labels[metric.name])): each.value
        for metric in metrics
        for each in metric.samples
    }


def value(name: str, **labels: str) -> float:
    """What the process tells now; 0 where there is no such series yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


# -- declarations


@pytest.mark.parametrize("declared", DECLARED, ids=lambda each: str(each.name))
def test_a_metric_is_named_by_the_rules_of_prometheus(declared: Declared) -> None:
    """https://prometheus.io/docs/practices/naming: base units, `_total` for what only grows."""
    assert re.fullmatch(r"tandem_[a-z_]+[a-z]", declared.name)
    assert declared.name.endswith("_total") == (declared.kind == "counter")
    assert not re.search(r"_(ms|millis|minutes|hours|percent|kb|mb)(_|$)", declared.name)
    assert declared.help and not declared.help.endswith(".")
    assert len(set(declared.labels)) == len(declared.labels)
    assert not {"job", "instance", "le", "id", "link", "key"} & set(declared.labels)


def test_a_metric_is_declared_once_and_none_is_made_elsewhere() -> None:
    """What is not declared would stand in no page and in no check of the alerts."""
    names = Counter(each.name for each in DECLARED)
    assert set(names.values()) == {1}
    told = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("tandem_")}
    assert told <= {each.name.removesuffix("_total") for each in DECLARED}
    root = Path(__file__).parents[2]
    for path in (each for package in OURS for each in (root / package).rglob("*.py")):
        made = re.search(
            r"prometheus_client import .*\b(Counter|Gauge|Histogram)\b",
            path.read_text(encoding="utf-8"),
        )
        assert made is None or path == root / "runtime" / "metrics.py", path


def test_collected_figures_are_shown_between_begin_and_end() -> None:
    """Registering asks for nothing, since there may be nothing to read yet."""
    asked: list[int] = []

    def collect() -> Iterable[Metric]:
        asked.append(1)
        return ()

    held = Collected(collect)
    held.begin()
    assert asked == []
    list(REGISTRY.collect())
    held.end()
    list(REGISTRY.collect())
    assert asked == [1]


# -- the linker


def test_the_linker_tells_switches_breakers_and_what_they_hold() -> None:
    """From the facts that it decides by, so that a switch is told as soon as it holds."""
    bench = Bench(breakers={"creates": (1, 0.0)})
    bench.open()
    for number in range(3):
        bench.see("chargebee", f"k{number}", number + 1, {**KARI, "email": f"{number}@eksempel.no"})
    bench.tell("pause", entity="customer", target="poweroffice")
    told = samples(figures.figures_of({"t": bench.store}, AT))
    assert told["tandem_linker_links", "t", "customer"] == 3
    assert told["tandem_mode", "t", "sync"] == 1 and told["tandem_mode", "t", "observe"] == 0
    assert told["tandem_paused", "t", "customer", "poweroffice"] == 1
    assert told["tandem_paused", "t", "order", "poweroffice"] == 0
    assert told["tandem_snapshot_complete", "t", "order", "chargebee"] == 1
    assert told["tandem_breaker_open", "t", "customer", "creates"] == 1
    assert told["tandem_held_links", "t", "customer", "creates"] == 2
    bench.tell("mode", mode="observe")
    assert samples(figures.figures_of({"t": bench.store}, AT))["tandem_mode", "t", "observe"] == 1


def test_the_linker_tells_how_far_a_run_is() -> None:
    """Readings that have come and are awaited, and what the run counts."""
    bench = Bench()
    bench.open()
    bench.tell("reconcile")
    told = samples(figures.figures_of({"t": bench.store}, AT))
    assert told["tandem_run_active", "t", "reconcile", "reading"] == 1
    assert told["tandem_run_readings", "t", "reconcile", "come"] == 0
    assert told["tandem_run_readings", "t", "reconcile", "awaited"] == 6
    bench.tell("run_cancel", run=bench.run_id)
    assert not [
        each
        for each in samples(
            figures.figures_of({"t": bench.store}, AT),
        )
        if "run" in each[0]
    ]


# -- the adapters


def test_an_adapter_tells_polls_headroom_and_open_commands() -> None:
    """Times in Unix seconds; what is not known is left out."""
    health: dict[str, dict[str, Any]] = {
        "demo": {
            "last_poll_at": {"customer": "1970-01-01T00:01:00.000000Z", "order": None},
            "last_sweep_at": "1970-01-01T00:02:00.000000Z",
            "first_snapshots": {"product": {"since": "1970-01-01T00:00:05.000000Z"}},
        },
        "still": {"stopped": "the key is refused"},
    }
    seen = Seen(
        health,
        {"demo": 0.75, "still": None},
        {("demo", "live"): 2},
        {"demo": 12.0, "still": 0.0},
    )
    told = samples(figures_of("poweroffice", seen))
    where = ("demo", "poweroffice")
    assert told["tandem_source_last_poll_timestamp_seconds", *where, "customer"] == 60
    assert ("tandem_source_last_poll_timestamp_seconds", *where, "order") not in told
    assert told["tandem_source_last_sweep_timestamp_seconds", *where] == 120
    assert told["tandem_source_snapshot_started_timestamp_seconds", *where, "product"] == 5
    assert told["tandem_vendor_stopped", *where] == 0
    assert told["tandem_vendor_stopped", "still", "poweroffice"] == 1
    assert told["tandem_vendor_budget_headroom_ratio", *where] == 0.75
    assert ("tandem_vendor_budget_headroom_ratio", "still", "poweroffice") not in told
    assert told["tandem_commands_open", *where, "live"] == 2
    assert told["tandem_commands_open", *where, "bulk"] == 0
    assert told["tandem_oldest_command_age_seconds", *where] == 12


def _command(cause: str, target: System = "poweroffice", **more: Any) -> Command:
    facts: dict[str, Any] = {"op": "update", "lane": "live", "link": "k", "seq": 1, **more}
    return Command(tenant="t", entity="customer", target=target, cause=cause, **facts)


def _outcome(result: str = "applied", **more: Any) -> Outcome:
    at = "2026-11-20T10:00:02.500000Z"
    facts: dict[str, Any] = {"tenant": "t", "entity": "customer", "link": "k", "seq": 1, "at": at}
    return Outcome(**facts, target="poweroffice", result=result, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "target", "expected"),
    [
        ("t/chargebee/customer/k/1795168800000", "poweroffice", ("chargebee", 2.5)),
        ("t/chargebee/customer/a/b/1795168800000", "poweroffice", ("chargebee", 2.5)),
        (
            "t/chargebee/product/hjul/1795168800000.00003590337500000",
            "poweroffice",
            ("chargebee", 2.5),
        ),
        (
            "t/poweroffice/customer/7/2026-11-20T10:00:00.0000000Z#000000000001",
            "chargebee",
            ("poweroffice", 2.5),
        ),
        # The vendor's clock is ahead of ours: no time is negative.
        ("t/chargebee/customer/k/1795168900000", "poweroffice", ("chargebee", 0.0)),
        ("t/poweroffice/customer/7/0001-01-01T00:00:00.0000000Z#000000000001", "chargebee", None),
        ("release-2026", "poweroffice", None),
        ("t/poweroffice/customer/7/2026-11-20T10:00:00.0000000Z#000000000001", "poweroffice", None),
    ],
)
def test_propagation_is_from_the_vendors_time_to_the_accepted_write(
    cause: str, target: System, expected: tuple[System, float] | None
) -> None:
    """By the version that its cause names; ids may hold slashes."""
    assert propagation(_command(cause, target), _outcome()) == expected


def test_only_live_writes_count_for_propagation() -> None:
    """What waited in a backfill, was not written or did not get through says nothing of how fast
    edits are."""
    cause = "t/chargebee/customer/k/1795168800000"
    assert propagation(_command(cause, lane="bulk"), _outcome()) is None
    assert propagation(_command(cause, op="verify"), _outcome()) is None
    assert propagation(_command(cause), _outcome("parked")) is None
    assert propagation(_command(cause), _outcome(wrote=False)) is None


def _answering(status: int | None) -> VendorTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        if status is None:
            raise httpx.ReadError("gone")
        return httpx.Response(status, content=b"{}")

    held = VendorTransport(
        RateLimiter(1000, 1, 100),
        system="chargebee",
        read_attempts=2,
        inner=httpx.MockTransport(answer),
    )
    return held.for_tenant("figures")


@pytest.mark.parametrize(
    ("status", "told"),
    [(200, "200"), (429, "429"), (503, "503"), (None, "none")],
)
def test_requests_are_counted_by_tenant_and_status(
    status: int | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their time and that of waiting for their turn; reads that are sent again count too."""

    async def no_wait(_seconds: float) -> None: ...

    monkeypatch.setattr("runtime.backoff.asyncio.sleep", no_wait)
    where = {"tenant": "figures", "system": "chargebee"}
    names = (
        ("tandem_vendor_requests_total", {**where, "method": "GET", "status": told}),
        ("tandem_vendor_request_seconds_count", {**where, "method": "GET"}),
        ("tandem_vendor_limiter_wait_seconds_count", {**where, "priority": "bulk"}),
        ("tandem_vendor_read_retries_total", where),
    )
    before = [value(name, **labels) for name, labels in names]

    async def ask() -> None:
        held = _answering(status)
        monkeypatch.setattr(held.limiter, "pause", lambda _seconds: None)
        http = held.client(httpx.BasicAuth("key", ""))
        try:
            await http.get("http://127.0.0.1/x", extensions={TURN: Turn(BULK)})
        except Retriable:
            pass
        finally:
            await held.aclose()

    asyncio.run(ask())
    sent = 1 if status == 200 else 2
    after = [value(name, **labels) for name, labels in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [sent, sent, sent, sent - 1]


# -- Kafka


class _Standing:
    """A consumer that has fetched up to a position of one partition."""

    def __init__(self, position: int, end: int | None) -> None:
        self._position, self._end = position, end

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(PREFIX + "customers", 0)}

    async def position(self, _partition: TopicPartition) -> int:
        return self._position

    def last_stable_offset(self, _partition: TopicPartition) -> int | None:
        return self._end


def _lag(lag: Lag) -> tuple[float, float]:
    told = samples(lag.figures())
    return told["tandem_consumer_lag_records", "customers", "0"], told[
        "tandem_consumer_lag_seconds",
        "customers",
        "0",
    ]


def test_lag_is_what_is_in_hand_and_what_was_not_fetched() -> None:
    """In records, and in seconds since the oldest record in hand was written."""
    lag, now_ms = Lag(PREFIX), utc_now().timestamp() * 1000
    asyncio.run(lag.look(_Standing(5, None)))
    assert samples(lag.figures()) == {}
    asyncio.run(lag.look(_Standing(5, 5)))
    assert _lag(lag) == (0, 0)
    asyncio.run(lag.look(_Standing(5, 9)))
    assert _lag(lag)[0] == 4
    records = (consumer_record("customers", b"x"), consumer_record("customers", b"y"))
    lag.taken(records)
    asyncio.run(lag.look(_Standing(9, 9)))
    in_hand, age_s = _lag(lag)
    assert in_hand == 2
    assert age_s >= now_ms / 1000  # they bear the time 0
    lag.done(records)
    assert _lag(lag) == (0, 0)


class _Taking:
    """A transactional producer that takes everything."""

    def create_batch(self) -> Any:
        return self

    def append(self, **_record: Any) -> object:
        return self

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None: ...

    async def send_batch(
        self,
        _batch: Any,
        _name: str,
        *,
        partition: int,
    ) -> "asyncio.Future[None]":
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


def test_a_committed_transaction_is_counted_with_its_size() -> None:
    """Records and bytes of keys, values and headers."""
    names = (
        "tandem_transaction_records_sum",
        "tandem_transaction_bytes_sum",
        "tandem_transaction_seconds_count",
    )
    before = [value(name) for name in names]

    async def commit() -> None:
        held = PartitionTransactions(Kafka(KafkaSettings()), "linker", 0, "linker")
        held._producer = _Taking()
        await held.commit(
            [Record("links", b"key", b"12345"), Record("links", b"key", None, [("a", b"b")])],
            {},
        )

    asyncio.run(commit())
    assert [value(name) - each for name, each in zip(names, before, strict=True)] == [2, 13, 1]


# -- the console


def test_the_longest_wait_is_told_by_state(tmp_path: Path) -> None:
    """From Kafka's time of the first record that shows the state; it ends with the state, and with
    the link."""
    model = ReadModel(tmp_path, "here")
    at = 0

    def put(key: str, state: LinkState, at_s: float) -> None:
        nonlocal at
        side = Side(id=key, version="1", seen={})
        link = Link(tenant="t", entity="order", key=key, state=state, chargebee=side)
        record = Mirrored("links", f"t/order/{key}", encode(link), "", at_s)
        assert model.apply([record], {("links", 0): at}, {("links", 0): at + 1})
        at += 1

    put("1", "waiting", 100)
    put("2", "waiting", 50)
    put("1", "waiting", 200)
    put("3", "linked", 10)
    assert model.unsettled_since() == {("t", "order", "waiting"): 50}
    put("2", "linked", 300)
    assert model.unsettled_since() == {("t", "order", "waiting"): 100}
    put("1", "parked", 400)
    assert model.unsettled_since() == {("t", "order", "parked"): 400}
    assert model.apply(
        [Mirrored("links", "t/order/1", None)],
        {("links", 0): at},
        {("links", 0): at + 1},
    )
    assert model.unsettled_since() == {}
    model.close()
