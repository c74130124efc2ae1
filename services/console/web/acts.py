"""What a form of the page asks for, as the signal that the command line would send."""

from collections.abc import Mapping
from typing import Any

from contracts import signals
from contracts.signals import OfOperator

# What forms of this page send; links are named by their key, as at the command line.
OFFERED: dict[str, type[OfOperator]] = {
    each.KIND: each
    for each in (
        signals.Mode,
        signals.Pause,
        signals.Resume,
        signals.Release,
        signals.Discard,
        signals.Redrive,
        signals.Settle,
        signals.Forget,
        signals.Join,
        signals.Pick,
        signals.Unlink,
        signals.Undo,
        signals.Reconcile,
        signals.PauseRun,
        signals.ResumeRun,
        signals.CancelRun,
    )
}
REMARK_MAX = 500


def instruction(kind: str, form: Mapping[str, str]) -> OfOperator:
    """The signal of a form: its fields by name, blank ones left out, `shown.NAME` as numbers by
    name. Raises Wrong."""
    meant = OFFERED.get(kind)
    if meant is None:
        raise signals.Wrong(f"this page sends no signal {kind!r}")
    given: dict[str, Any] = {}
    for name in meant.__struct_fields__:
        if name == "shown":
            counts = {k.removeprefix("shown."): v for k, v in form.items() if k[:6] == "shown."}
            if counts:
                given[name] = counts
        elif form.get(name, "").strip():
            given[name] = form[name].strip()
    if remark := given.get("remark"):
        given["remark"] = " ".join(remark.split())[:REMARK_MAX]
    return signals.made(meant, given, of_text=True)
