"""Our own writes read back: told from edits by author, or by moment and content, whatever comes
first."""

from typing import Any

from prometheus_client import REGISTRY

from contracts.echoes import Echoes
from contracts.messages import Observed, Outcome
from services.linker.echoes import count_echoes
from tests.unit.bench import Bench

AT = "2026-11-20T10:00:00.750000Z"
MOMENT = "2026-11-20T10:00:00.7000000Z"


def reading(number: int, phone: str = "1", **more: Any) -> Observed:
    facts = {"id": "7", "version": f"{MOMENT}#{number:012d}", "data": {"phone": phone}, **more}
    return Observed(
        tenant="t", system="poweroffice", entity="customer", mapping=1, observed_at=AT, **facts
    )


def answer(**more: Any) -> Outcome:
    facts = {
        "version": f"{MOMENT}#{5:012d}",
        "data": {"phone": "1"},
        "id": "7",
        "result": "applied",
        **more,
    }
    return Outcome(
        tenant="t", entity="customer", link="kari", seq=1, target="poweroffice", at=AT, **facts
    )


def test_a_reading_after_the_answer_is_an_echo_when_nothing_else_was_changed() -> None:
    """A person's edit of an address does not move Go's time: then the content tells."""
    echoes = Echoes()
    assert echoes.answered(answer()) is None
    assert echoes.observed(reading(6))
    assert not echoes.observed(reading(7, "2"))
    assert not echoes.observed(reading(8, id="8"))
    assert not echoes.observed(reading(9, version="2026-11-20T10:00:01.0000000Z#000000000009"))


def test_a_reading_before_the_answer_is_known_when_that_comes() -> None:
    """Once, and only of what was written."""
    echoes = Echoes()
    early = reading(4)
    assert not echoes.observed(early)
    assert echoes.answered(answer(wrote=False)) is None
    assert echoes.answered(answer(result="stale")) is None
    assert echoes.answered(answer()) == early
    assert echoes.answered(answer()) is None


def test_an_author_that_the_vendor_names_decides() -> None:
    """A write of two requests shows a version that no answer holds."""
    echoes = Echoes()
    assert echoes.observed(reading(1, made_by="tandem"))
    echoes.answered(answer())
    assert not echoes.observed(reading(6, made_by="others"))


def test_the_oldest_are_forgotten() -> None:
    echoes = Echoes(remembered=2)
    for id in ("7", "8", "9"):
        echoes.answered(answer(id=id))
    assert [echoes.observed(reading(6, id=id)) for id in ("7", "8", "9")] == [False, True, True]


def test_the_linker_counts_those_that_led_to_no_command() -> None:
    """By system; an edit that came together with our own write led to one."""
    stores = {"t": Bench().store}

    def counted() -> float:
        held = REGISTRY.get_sample_value(
            "tandem_linker_echoes_total", {"tenant": "t", "system": "poweroffice"}
        )
        return held or 0.0

    before = counted()
    count_echoes(stores, [("t", answer(), True), ("t", reading(6), False), ("t", reading(7), True)])
    assert counted() == before + 1
    count_echoes(stores, [("t", reading(4, id="8"), False), ("t", answer(id="8"), False)])
    assert counted() == before + 2
