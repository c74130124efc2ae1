"""What a transaction tells of its messages is made only where somebody is told."""

import logging

import pytest
import structlog

from contracts.messages import Command, Observed
from services.linker import steps
from services.linker.steps import Line, Wanted, lines_of


def _observed(snapshot: str | None) -> Observed:
    return Observed(
        tenant="demo",
        system="chargebee",
        entity="customer",
        id="kari",
        version="0000000000002",
        mapping=1,
        observed_at="2026-11-23T12:00:00.000000Z",
        snapshot=snapshot,
    )


SENT = Command(
    tenant="demo",
    entity="customer",
    link="kari",
    seq=1,
    target="poweroffice",
    op="update",
    lane="bulk",
    cause="c",
)


@pytest.mark.parametrize(
    ("wanted", "live", "backfill"),
    [
        (Wanted(live=False, others=False), [], []),
        (Wanted(live=True, others=False), ["reading.decided"], []),
        (
            Wanted(live=True, others=True),
            ["reading.decided", "command.sent"],
            ["reading.decided", "command.sent"],
        ),
    ],
)
def test_a_line_that_the_log_would_drop_is_not_made(
    wanted: Wanted, live: list[str], backfill: list[str]
) -> None:
    def made(snapshot: str | None) -> list[str]:
        lines: list[Line] = lines_of(wanted, _observed(snapshot), "kari", "acted", [SENT], ())
        return [line.event for line in lines]

    assert made(None) == live
    assert made("s") == backfill


@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        (logging.DEBUG, Wanted(live=True, others=True)),
        (logging.INFO, Wanted(live=True, others=False)),
        (logging.WARNING, Wanted(live=False, others=False)),
    ],
)
def test_the_log_says_which_lines_it_would_keep(
    monkeypatch: pytest.MonkeyPatch, level: int, wanted: Wanted
) -> None:
    logger = structlog.wrap_logger(
        structlog.PrintLogger(), wrapper_class=structlog.make_filtering_bound_logger(level)
    )
    monkeypatch.setattr(steps, "log", logger)
    assert Wanted.now() == wanted
