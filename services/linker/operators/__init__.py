"""What an operator, a service or a start tells the linker to do: one signal, carried out once, and
its answer. Pure.

A signal that cannot be carried out changes nothing; control `signal/<id>` keeps the answer in
words, also as sentences, so that the command line and the page can show it.
"""

from typing import Any

import msgspec

from contracts import signals
from contracts.messages import Signal
from services.linker.arguments import Refused
from services.linker.operators import forget, held, links, records, runs, services, switches
from services.linker.session import Session


def carry_out(work: Session, signal: Signal) -> None:
    """Carry out one signal. Raises ValueError for a kind that does not exist, and for a signal of a
    service whose arguments do not fit."""
    work.cause = f"{signal.tenant}/signal/{signal.id}"
    if issubclass(signals.type_of(signal.kind), signals.OfService):
        services.take(work, signal)
        return
    if work.state.control("signal", signal.id) is not None:
        return
    fact: dict[str, Any] = {"kind": signal.kind, "args": signal.args, "at": work.now}
    try:
        fact |= {"result": "done", **_done(work, signal)}
    except (Refused, signals.Wrong) as refusal:
        told = msgspec.to_builtins(refusal.said)
        fact |= {"result": "refused", "reason": str(refusal), "said": told}
    work.state.set_control("signal", signal.id, fact)
    work.acknowledge(signal, fact)


def _done(work: Session, signal: Signal) -> dict[str, Any]:
    """Do what a person says; what the answer has beside its result. Raises Refused."""
    match signals.of(signal):
        case signals.Mode() as said:
            switches.mode(work, said)
        case signals.Pause() as said:
            switches.pause(work, said)
        case signals.Resume() as said:
            switches.resume(work, said)
        case signals.Release() as said:
            return held.release(work, said)
        case signals.Discard() as said:
            return held.discard(work, said)
        case signals.Redrive() as said:
            return records.redrive(work, said)
        case signals.Settle() as said:
            records.settle(work, said, signal.by)
        case signals.Forget() as said:
            return forget.forget(work, said)
        case signals.Join() as said:
            return links.join(work, said)
        case signals.Import() as said:
            return links.import_pairs(work, said)
        case signals.Pick() as said:
            return links.pick(work, said)
        case signals.Unlink() as said:
            return links.unlink(work, said)
        case signals.Undo() as said:
            return links.undo(work, said)
        case said:
            return _done_to_runs(work, said, signal.id)
    return {}


def _done_to_runs(work: Session, said: signals.Instruction, signal: str) -> dict[str, Any]:
    match said:
        case signals.Replay():
            return runs.replay(work, said, signal)
        case signals.Reconcile():
            return runs.reconcile(work, said, signal)
        case signals.Rebuild():
            return runs.rebuild(work, signal)
        case signals.AskReload():
            runs.reload(work, signal)
        case signals.PauseRun():
            runs.pause_run(work, said.run)
        case signals.ResumeRun():
            runs.resume_run(work, said.run)
        case signals.CancelRun():
            runs.cancel_run(work, said.run)
        case _:
            raise TypeError(f"nobody carries out {type(said).__name__}")
    return {}
