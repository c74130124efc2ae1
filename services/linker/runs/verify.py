"""The reading of one record that a run asks for, by a command. Pure."""

from contracts.entities import FIELDS
from contracts.messages import Command, Flight, Link
from services.linker.dispatch import has_room
from services.linker.runs import facts as runs
from services.linker.session import Session
from services.linker.state import side_of


def verify(work: Session, link: Link) -> bool:
    """Send the reading that a link waits for; False when none is to be sent now."""
    target = link.verify[0]
    side, run = side_of(link, target), runs.named(work.state, link.run)
    if side is None or run is None or run.is_over:
        link.verify = []
        return False
    if not runs.may_read(work.state) or not has_room(work, target):
        return False
    link.seq += 1
    command = Command(
        tenant=link.tenant,
        entity=link.entity,
        link=link.key,
        seq=link.seq,
        target=target,
        op="verify",
        lane="bulk",
        cause=runs.cause_of(link.tenant, link.run),
        target_id=side.id,
        target_version=side.version,
        expected={name: (side.seen or {}).get(name) for name in FIELDS[link.entity]},
    )
    link.flight = Flight(command=command)
    work.outputs.append(command)
    work.state.put(link)
    return True
