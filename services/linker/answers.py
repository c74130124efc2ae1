"""What follows from the answer to a command. Pure."""

from contracts.entities import FIELDS, System, other
from contracts.messages import Command, DeadLetter, Flight, Link, Outcome, Problem, Side
from contracts.said import english, say
from contracts.vendors import vendor_part
from services.linker import books, late
from services.linker.attempts import tried
from services.linker.breakers import class_of, money_differs, money_kind, trip
from services.linker.compare import verified
from services.linker.dispatch import rest
from services.linker.plan import park, plan, plan_queue
from services.linker.session import Session
from services.linker.state import agree, side_of
from services.linker.take import take_reply


def outcome(work: Session, outcome: Outcome) -> None:
    """Take the answer to the command that a link has in flight; another one is late and says
    nothing."""
    work.cause = f"{outcome.tenant}/outcome/{outcome.entity}/{outcome.link}/{outcome.seq}"
    link = work.state.get(outcome.entity, outcome.link)
    if link is None or link.flight is None or link.flight.command.seq != outcome.seq:
        return
    flight = link.flight
    link.flight = None
    if flight.command.op == "verify":
        verified(work, link, flight, outcome)
        return
    command = flight.command
    link.maybe_applied = outcome.maybe_applied
    link.passed = outcome.result == "parked" and (class_of(command.op, command.fields) or False)
    if take_reply(work, link, flight, outcome):
        _conclude(work, link, flight, outcome)
    if command.lane == "bulk":
        plan_queue(work, command.target)


def _conclude(work: Session, link: Link, flight: Flight, outcome: Outcome) -> None:
    command = flight.command
    if command.op == "create" and (outcome.result == "adopted" or outcome.maybe_applied):
        tried(link, flight)
    if command.op == "update" and (outcome.result == "rejected" or outcome.maybe_applied):
        _doubt(link, command)
    # Whoever reads that the draft is gone may be quicker than the answer to its deletion.
    got_through = outcome.result == "applied" or outcome.maybe_applied
    link.removed = command.op == "delete" and got_through
    match outcome.result:
        case "applied":
            _agree(link, flight, outcome, tuple(command.fields))
            _judge_newer(work, link, flight, outcome)
            late.written_again(work, link, flight, outcome)
            _hold_back(work, link, command, outcome)
            done = (
                "done" if outcome.wrote else "held back" if outcome.skipped else "needed no write"
            )
            work.journal(
                link,
                "applied",
                f"{command.op} in {command.target} {done}: {outcome.id}",
                command.target,
            )
            link.confirmed = link.confirmed or command.fields.get("status") == "confirmed"
            link.restore = link.restore and "lines" not in command.fields
            if "notice" in command.fields:
                link.notice = command.fields["notice"] or ""
                link.notice_as = (outcome.data or {}).get("notice") if link.notice else None
            link.put_on_hold = link.put_on_hold or "fulfilment" in command.fields
            if command.op == "create":
                link.confirmed, link.made, link.attempts = False, command.target, []
                _check_money(work, link, command.target)
            plan(work, link)
        case "adopted":
            work.journal(link, "adopted", f"the record was already there: {outcome.id}")
            _check_money(work, link, command.target)
            plan(work, link)
        case "stale" if outcome.twins:
            link.twins = list(outcome.twins)
            words = (
                f"{command.target} holds what looks like the same {link.entity}: "
                f"{', '.join(link.twins)}"
            )
            work.journal(link, "twin", words, command.target)
            plan(work, link)
        case "stale":
            _agree(link, flight, outcome, outcome.done)
            late.written_again(work, link, flight, outcome)
            text = f"{command.target} held other values than expected; planned again"
            work.journal(
                link,
                "stale",
                text,
                command.target,
                None,
                outcome.data and {name: outcome.data.get(name) for name in command.expected},
                command.expected,
            )
            work.refused = command
            plan(work, link)
        case "rejected":
            problem = outcome.error or Problem.of("rejected", say("refused_bare"))
            link.problem = problem
            work.outputs.append(
                DeadLetter(
                    reason="rejected",
                    at=work.now,
                    topic=f"commands.{command.target}",
                    key=f"{link.tenant}/{link.entity}/{link.key}/{command.seq}",
                    command=command,
                    problem=problem,
                )
            )
            side = side_of(link, command.target)
            if side is not None and _changed_since(side, command):
                plan(work, link)  # the record changed meanwhile, so the refusal may be out of date
            else:
                why = say("refused", system=command.target, why=problem.why)
                rest(work, link, "rejected", why)
        case "parked":
            park(work, link, outcome)


def _doubt(link: Link, command: Command) -> None:
    """All or some of it may have been written (a customer of Chargebee takes two requests)."""
    side = side_of(link, command.target)
    if side is not None:
        if not side.doubt:
            shows = any((side.seen or {}).get(n) != held for n, held in command.expected.items())
            side.doubted_at = "" if shows else command.target_version or ""
        side.doubt = [
            *side.doubt,
            *(
                name
                for name in command.fields
                if name in FIELDS[link.entity] and name not in side.doubt
            ),
        ]


def _agree(link: Link, flight: Flight, outcome: Outcome, names: tuple[str, ...]) -> None:
    """Bases of written fields: what the target returned, and the source's value the command was
    planned from."""
    target = side_of(link, outcome.target)
    source = side_of(link, other(outcome.target))
    if target is None or source is None or outcome.data is None:
        return
    for name in names:
        if name in FIELDS[link.entity]:
            agree(target, name, outcome.data.get(name))
            agree(source, name, flight.planned.get(name, flight.command.fields.get(name)))


def _hold_back(work: Session, link: Link, command: Command, outcome: Outcome) -> None:
    """Fields that the target cannot take stay different, in words, until one side is edited
    again."""
    for name, words in outcome.skipped.items():
        link.differences = [*(each for each in link.differences if each != name), name]
        text = f"{name} is held back from {outcome.target}: {words}"
        why = outcome.skipped_said.get(name, words)
        said = say("field_held_back", system=outcome.target, why=why)
        link.held_back = {**link.held_back, name: english(said)}
        link.held_back_said = {**link.held_back_said, name: said}
        held = (outcome.data or {}).get(name)
        work.journal(link, "held_back", text, outcome.target, name, command.fields.get(name), held)


def _check_money(work: Session, link: Link, target: System) -> None:
    """Stop making documents of this direction and currency when one came out with too different a
    total."""
    if link.entity != "order" or link.chargebee is None or link.poweroffice is None:
        return
    found = books.money_apart(work.state, link)
    if found is not None and money_differs(
        work.state, (link.chargebee.seen or {}).get("total"), found.amount
    ):
        batch = trip(work.state, "order", money_kind(target, found.currency), work.now)
        text = (
            f"{found.text}, more than the money breaker allows: further orders to {target} in "
            f"{found.currency} "
            f"are held as {batch}"
        )
        work.journal(link, "totals", text, None, "total", found.amount)


def _judge_newer(work: Session, link: Link, flight: Flight, outcome: Outcome) -> None:
    """Look at what came while a command was under way and is newer than what it returned."""
    newer = [version for version, _ in flight.during if version > (outcome.version or "")]
    if newer and outcome.version is not None and outcome.data is not None:
        author = flight.authors.get(max(newer))
        late.judge_moved(
            work, link, outcome.target, outcome.data, outcome.version, author, flight.command.fields
        )


def _changed_since(side: Side, command: Command) -> bool:
    """Whether a record has moved since a command was planned; being read again is no move."""
    return vendor_part(side.version) != vendor_part(command.target_version or "") or any(
        (side.seen or {}).get(name) != value for name, value in command.expected.items()
    )
