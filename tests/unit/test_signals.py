"""Signals on the wire and back, and the words for those that do not fit."""

from typing import Any

import pytest

from contracts import signals
from contracts.messages import Signal

AT = "2026-11-29T06:00:00Z"
EVERY: tuple[signals.Instruction, ...] = (
    signals.Mode(mode="sync"),
    signals.Pause(entity="order", target="poweroffice"),
    signals.Resume(),
    signals.Release(entity="order", batch="paid", shown={"paid": 2}),
    signals.Discard(entity="customer"),
    signals.Redrive(names=[("customer", "kari")], letters=["t/1"]),
    signals.Settle(entity="order", key="7", finding="dropped", text="x", amount="1", remark="y"),
    signals.Forget(entity="customer", key="kari", journal=["a"], letters=["b"]),
    signals.Join(entity="customer", chargebee="kari", poweroffice="5"),
    signals.Import(pairs=[signals.Pair(entity="order", chargebee="1", poweroffice="2")]),
    signals.Pick(entity="customer", key="kari", new=True),
    signals.Unlink(entity="customer", key="kari"),
    signals.Undo(signal="s1"),
    signals.Replay(ranges={"customers": (0, 9)}, side="chargebee", dry_run=True),
    signals.Reconcile(repair=True),
    signals.Rebuild(),
    signals.AskReload(),
    signals.PauseRun(run="r"),
    signals.ResumeRun(run="r"),
    signals.CancelRun(run="r"),
    signals.Start(),
    signals.Tick(),
    signals.Advance(sharing=("customer", "email", "a@b.no"), after="kari"),
    signals.Reachable(system="chargebee"),
    signals.Seen(system="poweroffice", id="77"),
    signals.ReplayPart(run="r", records=[["chargebee", "order", "7"]], last=False),
    signals.Reloaded(signal=None, links=0, differing=[]),
)


def test_every_instruction_comes_back_from_the_wire_as_it_was_said() -> None:
    assert {each.KIND for each in EVERY} == set(signals.KINDS)
    for said in EVERY:
        carried = signals.to("demo", said, id="s1", at=AT, by="kari@desk")
        assert (carried.kind, carried.by) == (said.KIND, "kari@desk")
        assert signals.of(carried) == said


def test_what_has_its_default_is_not_sent() -> None:
    """So that the journal shows what was said, and an older linker takes it."""
    assert signals.args_of(signals.Redrive(entity="customer")) == {"entity": "customer"}
    assert signals.args_of(signals.Reconcile()) == {}


@pytest.mark.parametrize(
    ("kind", "args", "words"),
    [
        ("pawse", {}, "signal kind 'pawse' is not known"),
        ("mode", {}, "the argument 'mode' is missing"),
        ("mode", {"mode": "on"}, "there is no mode 'on'; there are: observe, sync"),
        (
            "pause",
            {"entity": "invoice"},
            "there is no entity 'invoice'; there are: customer, product, order",
        ),
        # Without the argument that was misspelt it would pause everything.
        (
            "pause",
            {"entitty": "order"},
            "pause takes no argument 'entitty'; it takes: entity, target",
        ),
        ("rebuild", {"entity": "order"}, "rebuild takes no argument 'entity'; it takes: none"),
        ("settle", {"entity": "order", "key": 5}, "the argument 'key' does not fit: Expected str"),
        ("import", {"pairs": [{"entity": "order"}]}, "the argument 'chargebee' is missing in"),
        ("replay", {"ranges": {"customers": [0]}}, "the argument 'ranges[...]' does not fit"),
    ],
)
def test_what_does_not_fit_is_told_with_its_argument(
    kind: str, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(signals.Wrong) as caught:
        signals.of(Signal(tenant="demo", id="s1", kind=kind, at=AT, args=args))
    assert str(caught.value).startswith(words)
