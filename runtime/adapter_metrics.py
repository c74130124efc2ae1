"""The metrics of both adapters: what they read, what they write, and how their vendor answers."""

from runtime.metrics import ADAPTERS, CALL_S, WAIT_S, Metrics

METRICS = Metrics(*ADAPTERS)

# -- reading

EVENTS = METRICS.counter(
    "tandem_source_events_total",
    "Readings of the vendor's records: published, or repeated and therefore dropped",
    "tenant",
    "system",
    "entity",
    "result",
)
READ_ERRORS = METRICS.counter(
    "tandem_source_errors_total",
    "Polls, sweeps and snapshots that the vendor did not let through; each is tried again",
    "tenant",
    "system",
    "loop",
)
LAST_POLL = METRICS.figure(
    "tandem_source_last_poll_timestamp_seconds",
    "When a loop of the source last ended well, in Unix time",
    "tenant",
    "system",
    "loop",
)
LAST_SWEEP = METRICS.figure(
    "tandem_source_last_sweep_timestamp_seconds",
    "When the last sweep ended well, in Unix time; PowerOffice Go only",
    "tenant",
    "system",
)
SNAPSHOT_SINCE = METRICS.figure(
    "tandem_source_snapshot_started_timestamp_seconds",
    "Since when a first snapshot is being read, in Unix time; absent while none is",
    "tenant",
    "system",
    "entity",
)

# -- the vendor

STOPPED = METRICS.figure(
    "tandem_vendor_stopped",
    "1 while a tenant stands still since its vendor cannot be used",
    "tenant",
    "system",
)
KEY_REFUSALS = METRICS.counter(
    "tandem_vendor_key_refusals_total",
    "Times that the vendor refused a key, a token or a privilege, or opened another account",
    "tenant",
    "system",
)
REQUESTS = METRICS.counter(
    "tandem_vendor_requests_total",
    "Requests sent, by HTTP status; none where no whole answer came",
    "tenant",
    "system",
    "method",
    "status",
)
REQUEST_S = METRICS.histogram(
    "tandem_vendor_request_seconds",
    "Time from sending a request to its whole answer, or to its failure",
    "tenant",
    "system",
    "method",
    buckets=CALL_S,
)
LIMITER_S = METRICS.histogram(
    "tandem_vendor_limiter_wait_seconds",
    "Time that a request waited for its turn under the vendor's limit",
    "tenant",
    "system",
    "priority",
    buckets=WAIT_S,
)
READ_RETRIES = METRICS.counter(
    "tandem_vendor_read_retries_total",
    "Reads that were sent again after trouble that may pass",
    "tenant",
    "system",
)
HEADROOM = METRICS.figure(
    "tandem_vendor_budget_headroom_ratio",
    "The part of the allowed requests that was not used in the last minute, 0 to 1",
    "tenant",
    "system",
)

# -- writing

OUTCOMES = METRICS.counter(
    "tandem_outcomes_total",
    "Commands answered, by what became of them",
    "tenant",
    "system",
    "entity",
    "lane",
    "result",
)
COMMAND_RETRIES = METRICS.counter(
    "tandem_command_retries_total",
    "Attempts at a command that are made again after trouble that may pass",
    "tenant",
    "system",
    "entity",
)
COMMAND_S = METRICS.histogram(
    "tandem_command_seconds",
    "Time from a command on Kafka to its outcome",
    "tenant",
    "system",
    "entity",
    "lane",
    buckets=WAIT_S,
)
PROPAGATION_S = METRICS.histogram(
    "tandem_propagation_seconds",
    "Time from a change in the source, by its vendor's clock, to the accepted write in the target; "
    "live lane. An edit in Go that moves no time (address, order line) counts from the one before",
    "tenant",
    "entity",
    "source",
    "target",
    buckets=WAIT_S,
)
COMMANDS_OPEN = METRICS.figure(
    "tandem_commands_open", "Commands taken and not answered yet", "tenant", "system", "lane"
)
OLDEST_COMMAND_S = METRICS.figure(
    "tandem_oldest_command_age_seconds",
    "Age of the oldest command that is not answered, from its time on Kafka; 0 where there is none",
    "tenant",
    "system",
)
