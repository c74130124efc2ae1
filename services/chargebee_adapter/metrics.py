"""The metrics that only the Chargebee adapter has: webhooks."""

from runtime.metrics import Metrics

METRICS = Metrics("chargebee_adapter")

WEBHOOKS = METRICS.counter(
    "tandem_webhooks_total",
    "Webhooks received, by answer; `check` before it marks those of our own checks",
    "tenant",
    "status",
)
LAST_WEBHOOK = METRICS.gauge(
    "tandem_webhook_last_timestamp_seconds",
    "When a webhook of Chargebee was last taken, in Unix time; 0 before the first",
    "tenant",
)
WEBHOOK_S = METRICS.histogram(
    "tandem_webhook_seconds",
    "Time from a webhook to its answer",
    "tenant",
)
