"""The metrics of the console's service: what its read model holds of links, findings and dead
letters."""

from runtime.metrics import Metrics

METRICS = Metrics("console")

LINKS = METRICS.figure("tandem_links", "Links, by state", "tenant", "entity", "state")
FINDINGS = METRICS.figure("tandem_findings", "Findings not settled, by kind", "tenant", "kind")
DEAD_LETTERS = METRICS.figure(
    "tandem_dead_letters",
    "Dead letters that are there now; without a tenant or entity where they tell none",
    "tenant",
    "entity",
)
OLDEST_LINK_S = METRICS.figure(
    "tandem_oldest_link_age_seconds",
    "How long the longest has been in a state that awaits something; `open`: a command is sent",
    "tenant",
    "entity",
    "state",
)
MODEL_LAG = METRICS.figure(
    "tandem_console_lag_records",
    "Offsets between the read model and the ends of its topics",
)
