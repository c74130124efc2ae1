"""What a form of the page asks for, as the signal that the command line would send."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from contracts import signals
from contracts.messages import DeadLetter
from contracts.said import say
from contracts.signals import OfOperator
from services.console.letters import about, choose
from services.console.lookup import find_link, keys_of
from services.console.model import ReadModel

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
        raise signals.Wrong(say("wrong_form", kind=kind))
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


class Meaning(NamedTuple):
    """A signal, and the messages of dead letters that are sent again before it."""

    said: OfOperator
    again: Mapping[str, DeadLetter] = {}


def meaning(
    model: ReadModel, tenant: str, kind: str, form: Mapping[str, str], topic_prefix: str
) -> Meaning:
    """What a form asks for, with the keys that the command line looks up too: those of the letters
    that are done with, and of what is erased. Raises Wrong, and NotFound for a letter or a record
    that is not there any more."""
    if kind == signals.Redrive.KIND and (letter := form.get("letter")):
        chosen = choose(model.letters(tenant), letter, None)
        return Meaning(signals.Redrive(names=list(chosen.links), letters=[letter]), chosen.messages)
    said = instruction(kind, form)
    match said:
        case signals.Redrive(entity=entity, key=key) if entity is not None and key is not None:
            letters = model.letter_keys(tenant, entity, key)
            return Meaning(msgspec.structs.replace(said, letters=letters))
        case signals.Forget(entity=entity, key=key):
            link = find_link(model, tenant, entity, key)
            journal = model.journal_keys(tenant, entity, keys_of(link))
            letters = about(model.letters(tenant), link, topic_prefix)
            return Meaning(msgspec.structs.replace(said, journal=journal, letters=letters))
        case _:
            return Meaning(said)
