"""The metrics of the linker: what it decides, and the switches and runs that it keeps."""

from runtime.metrics import Metrics

METRICS = Metrics("linker")

EVENTS = METRICS.counter(
    "tandem_linker_events_total",
    "Messages decided, by what they led to",
    "tenant",
    "result",
)
ECHOES = METRICS.counter(
    "tandem_linker_echoes_total",
    "Our own writes read back that led to no command",
    "tenant",
    "system",
)
COMMANDS = METRICS.counter(
    "tandem_linker_commands_total",
    "Commands sent",
    "tenant",
    "entity",
    "target",
    "op",
    "lane",
)
DECIDE_S = METRICS.histogram(
    "tandem_linker_transaction_seconds",
    "Time of one transaction, decisions included",
)
BATCH_RECORDS = METRICS.histogram(
    "tandem_linker_batch_records",
    "Messages decided in one transaction",
    buckets=(1, 10, 100, 500, 1000, 2000),
)

LINKS = METRICS.figure("tandem_linker_links", "Links held in memory", "tenant", "entity")
MODE = METRICS.figure(
    "tandem_mode",
    "1 for the mode that counts now: observe or sync",
    "tenant",
    "mode",
)
PAUSED = METRICS.figure(
    "tandem_paused",
    "1 while nothing of an entity is written to a target",
    "tenant",
    "entity",
    "target",
)
TENANT_STOPPED = METRICS.figure(
    "tandem_tenant_stopped",
    "1 while another vendor account, or another source of orders, than the pinned one was found",
    "tenant",
    "by",
)
BREAKER_OPEN = METRICS.figure(
    "tandem_breaker_open",
    "1 while a breaker holds what comes, until a person releases or discards it",
    "tenant",
    "entity",
    "kind",
)
HELD = METRICS.figure(
    "tandem_held_links",
    "Links held by an open breaker (its kind), observe, a pause, a first backfill or a payment",
    "tenant",
    "entity",
    "kind",
)
SNAPSHOT_DONE = METRICS.figure(
    "tandem_snapshot_complete",
    "1 once a system has shown all it had of an entity; before, nothing of it is created",
    "tenant",
    "entity",
    "system",
)
BULK_QUEUED = METRICS.figure(
    "tandem_bulk_commands_queued", "Bulk commands that wait for their turn", "tenant", "target"
)
BULK_OPEN = METRICS.figure(
    "tandem_bulk_commands_open", "Bulk commands that were sent and not answered", "tenant", "target"
)
RUN = METRICS.figure(
    "tandem_run_active",
    "1 while a run is under way, with its state",
    "tenant",
    "kind",
    "state",
)
RUN_COUNT = METRICS.figure(
    "tandem_run_records",
    "Progress of the run under way: records asked about and answered, and what else it counts",
    "tenant",
    "kind",
    "count",
)
RUN_PARTS = METRICS.figure(
    "tandem_run_readings",
    "Complete readings that the run under way waits for, and those that have come",
    "tenant",
    "kind",
    "state",
)
