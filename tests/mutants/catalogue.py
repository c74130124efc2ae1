"""The mutants: a name, the file, the text and what it is replaced with. Each text stands exactly once in its file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault a hurried person could make."""

    name: str
    file: str
    old: str
    new: str


_LINKER = "services/linker/"
_DECIDE, _PLAN, _SESSION = f"{_LINKER}decide.py", f"{_LINKER}plan.py", f"{_LINKER}session.py"
_SITUATION, _PAIR, _SINGLE = f"{_LINKER}situation.py", f"{_LINKER}pair.py", f"{_LINKER}single.py"
_DISPATCH, _JOINS, _TAKE = f"{_LINKER}dispatch.py", f"{_LINKER}joins.py", f"{_LINKER}take.py"
_ANSWERS, _LATE, _MERGE = f"{_LINKER}answers.py", f"{_LINKER}late.py", f"{_LINKER}merge.py"
_MATCH, _STATE, _WRITES = f"{_LINKER}match.py", f"{_LINKER}state.py", f"{_LINKER}writes.py"
_BREAKERS, _BOOKS, _FINDINGS = (
    f"{_LINKER}breakers.py",
    f"{_LINKER}books.py",
    f"{_LINKER}findings.py",
)
_RUN_FACTS, _COMPARE = f"{_LINKER}runs/facts.py", f"{_LINKER}compare.py"
_OPERATORS, _SERVICES = f"{_LINKER}operators/__init__.py", f"{_LINKER}operators/services.py"
_OPERATORS_LINKS, _OPERATORS_RUNS = f"{_LINKER}operators/links.py", f"{_LINKER}operators/runs.py"
_FORGET = f"{_LINKER}operators/forget.py"

MUTANTS = (
    Mutant(
        "older readings are taken",
        _STATE,
        'if event.version < side.version:\n        return "older"',
        'if False:\n        return "older"',
    ),
    Mutant(
        "what was counted lets any other command pass",
        _DISPATCH,
        "link.passed in (True, kind)",
        "link.passed",
    ),
    Mutant(
        "a breaker counts what only one side holds",
        _BREAKERS,
        "state.pairs(entity)",
        "state.size(entity)",
    ),
    Mutant(
        "an unmoved version is an edit",
        _STATE,
        "if event.version == side.version and not (event.deleted and not side.deleted):",
        "if False:",
    ),
    Mutant(
        "a deletion at an unmoved version is a repeat",
        _STATE,
        "event.version == side.version and not (event.deleted and not side.deleted)",
        "event.version == side.version",
    ),
    Mutant(
        "a record alive at an unmoved version brings a deleted one back",
        _STATE,
        "not (event.deleted and not side.deleted)",
        "event.deleted == side.deleted",
    ),
    Mutant(
        "what a command found there was its own",
        _TAKE,
        'outcome.result == "applied" and outcome.wrote',
        'outcome.result == "applied"',
    ),
    Mutant(
        "a new mapping is an edit",
        _STATE,
        "event.data, reread=reread(event.system, entity, older, newer))",
        "event.data)",
    ),
    Mutant(
        "a new mapping hides every edit",
        _STATE,
        "event.data, reread=reread(event.system, entity, older, newer))",
        "event.data, reread=None)",
    ),
    Mutant(
        "a reply under a new mapping is an edit",
        _STATE,
        "        reread(outcome.target, entity, side.mapping, outcome.mapping)\n        if unmoved\n        else frozenset[str]()",
        "        reread(outcome.target, entity, side.mapping, outcome.mapping) if False else frozenset[str]()",
    ),
    Mutant(
        "a rising number of a reading is a move",
        "contracts/vendors.py",
        'return version.partition("#")[0]',
        "return version",
    ),
    Mutant(
        "a new field counts as edited from blank",
        _STATE,
        "if old is not None and name in data and name not in old:",
        "if False:",
    ),
    Mutant(
        "what a message lacks is blanked",
        _STATE,
        "if old is not None and not old.keys() <= data.keys():",
        "if False:",
    ),
    Mutant(
        "a field is decided before both sides carry it",
        _MERGE,
        "if (name in ours) != (name in theirs):",
        "if False:",
    ),
    Mutant(
        "the base is forgotten when an edit is seen",
        _STATE,
        "                side.base[name] = before\n",
        "                pass\n",
    ),
    Mutant(
        "a write in doubt that was shown and taken back is no edit",
        _STATE,
        "elif side.base[name] == value and name in side.doubt:",
        "elif False:",
    ),
    Mutant(
        "the base of a written field is what was sent",
        _ANSWERS,
        "agree(target, name, outcome.data.get(name))",
        "agree(target, name, flight.command.fields.get(name))",
    ),
    Mutant(
        "the base of the source is what it holds now",
        _ANSWERS,
        "agree(source, name, flight.planned.get(name, flight.command.fields.get(name)))",
        "agree(source, name, (source.seen or {}).get(name))",
    ),
    Mutant("any outcome counts", _ANSWERS, " or link.flight.command.seq != outcome.seq:", ":"),
    Mutant(
        "an adopted record counts as written",
        _ANSWERS,
        'case "adopted":\n',
        'case "adopted":\n            _agree(work, link, flight, outcome, tuple(command.fields))\n',
    ),
    Mutant(
        "an unanswered write is forgotten",
        _ANSWERS,
        'if command.op == "update" and (outcome.result == "rejected" or outcome.maybe_applied):',
        "if False:",
    ),
    Mutant(
        "a doubtful field that looks equal is agreed",
        _MERGE,
        "if name in a.doubt or name in b.doubt:",
        "if (name in a.doubt or name in b.doubt) and a.seen.get(name) != b.seen.get(name):",
    ),
    Mutant(
        "a stale outcome counts nothing as done", _ANSWERS, "outcome, outcome.done)", "outcome, ())"
    ),
    Mutant(
        "a stale outcome counts everything as done",
        _ANSWERS,
        "outcome, outcome.done)",
        "outcome, tuple(command.fields))",
    ),
    Mutant(
        "a covered edit is not told",
        _WRITES,
        "if not write.planned < version < write.returned:",
        "if True:",
    ),
    Mutant(
        "our own write is told as an edit",
        _WRITES,
        "        if held_by(write, name, value) or value == before:",
        "        if value == before:",
    ),
    Mutant(
        "what still stands is told as lost",
        _WRITES,
        "        elif value != stands:",
        "        else:",
    ),
    Mutant(
        "what was taken back still stands and is told",
        _WRITES,
        "            if back and before != stands:",
        "            if back:",
    ),
    Mutant(
        "a write is taken back only in the order of its readings",
        _WRITES,
        'return before if not known and ours and ours < before else ""',
        'return before if not is_ours and ours and ours < before else ""',
    ),
    Mutant(
        "a write that was taken back is told with each reading",
        _WRITES,
        "    known = bool(ours) and ours < before\n",
        "    known = False\n",
    ),
    Mutant(
        "what an older reading showed is forgotten",
        _TAKE,
        "if in_flight or noted:",
        "if in_flight:",
    ),
    Mutant(
        "what wrote nothing covers edits",
        _WRITES,
        'if outcome.result == "applied" and outcome.wrote:',
        'if outcome.result == "applied":',
    ),
    Mutant(
        "an attempt whose reply was lost covers nothing",
        _WRITES,
        "return tuple(name for name in outcome.done if name in command.fields)",
        "return ()",
    ),
    Mutant(
        "a late write is an edit",
        _WRITES,
        'return "late" if writers or unanswered else "edit"',
        'return "edit"',
    ),
    Mutant(
        "a late write is told by its value alone", _WRITES, "if writers or unanswered", "if writers"
    ),
    Mutant(
        "a person cannot enter an old value again",
        _WRITES,
        'if not writers or made_by == "others" or ',
        "if not writers or ",
    ),
    Mutant(
        "a suspicion is an edit", _WRITES, 'in writers else "suspect"', 'in writers else "edit"'
    ),
    Mutant("a suspicion never ends", _WRITES, "> SUSPECT_FOR_S", "> 10**9"),
    Mutant(
        "a late write covers nothing",
        _LATE,
        "        writes.came_late(side, before, version, {**found, **again}, work.now)",
        "        pass",
    ),
    Mutant("what is suspect is carried", _PAIR, "if ours.suspect or theirs.suspect:", "if False:"),
    Mutant(
        "what came late while we wrote is not looked at",
        _ANSWERS,
        "            _judge_newer(work, link, flight, outcome)\n",
        "",
    ),
    Mutant(
        "a reply never moves what is seen",
        _TAKE,
        "elif proves(side, flight, outcome):",
        "elif False:",
    ),
    Mutant(
        "a version that was never its own is believed",
        _STATE,
        " or side.version == flight.command.target_version",
        "",
    ),
    Mutant(
        "a field held back is not listed",
        _ANSWERS,
        "            _hold_back(work, link, command, outcome)\n",
        "",
    ),
    Mutant(
        "a creation that met a twin is repeated",
        _ANSWERS,
        "link.twins = list(outcome.twins)",
        "link.twins = []",
    ),
    Mutant(
        "what a deletion hides is not read from the reply",
        _TAKE,
        'elif side.deleted and target == "poweroffice":',
        "elif False:",
    ),
    Mutant("the removal of a draft is not noticed", _TAKE, "if outcome.deleted:", "if False:"),
    Mutant(
        "two links keep one record",
        _TAKE,
        "leave(work, holder)\n    return True",
        "return True",
    ),
    Mutant(
        "orders before the start are taken",
        _TAKE,
        "return start is None or (date is not None and date < start)",
        "return False",
    ),
    Mutant(
        "a refusal out of date is final",
        _ANSWERS,
        "if side is not None and _changed_since(side, command):",
        "if False:",
    ),
    Mutant(
        "being read again is a reason to try again",
        _TAKE,
        'if folded == "newer" and before is not None and _looks(side) == before:',
        "if False:",
    ),
    Mutant(
        "a re-reading makes a refusal out of date",
        _ANSWERS,
        'vendor_part(command.target_version or "")',
        '(command.target_version or "")',
    ),
    Mutant("the barrier is skipped", _SINGLE, "if not work.barrier_open(entity):", "if False:"),
    Mutant(
        "a second command while one is in flight",
        _PLAN,
        "if link.flight is not None:\n        books.weigh",
        "if False:\n        books.weigh",
    ),
    Mutant(
        "the expected values are left out",
        _DISPATCH,
        "expected=guard or (expected(link, target, fields) if side else {})",
        "expected={}",
    ),
    Mutant(
        "edits against deletions are carried",
        _PAIR,
        "if gone is not None and _meets_deletion(work, link, result.writes):",
        "if False:",
    ),
    Mutant(
        "gone records are created elsewhere",
        _SITUATION,
        "if is_gone(side) or side.seen is None:",
        "if side.seen is None:",
    ),
    Mutant(
        "sent orders are written to",
        _SITUATION,
        'if link.entity == "order" and theirs.seen.get("status") == "sent":',
        "if False:",
    ),
    Mutant(
        "an edited draft is removed",
        _PAIR,
        "    if edits:\n        said",
        "    if False:\n        said",
    ),
    Mutant(
        "other lines are confirmed",
        _PAIR,
        ' or born_in_go(link) or "lines" in doubtful or is_left:',
        " or born_in_go(link):",
    ),
    Mutant("an order is confirmed again and again", _PAIR, "and not link.confirmed", ""),
    Mutant(
        "drafts of Go are taken over",
        _SITUATION,
        " and not is_taken_over(state.policy, side.seen):",
        " and False:",
    ),
    Mutant(
        "observe sends",
        _DISPATCH,
        'if work.mode() != "sync":\n        return "observe", say("observe")',
        "",
    ),
    Mutant(
        "a pause is not heeded",
        _DISPATCH,
        'if facts.holds(work.state, facts.Pause, f"{entity}/{target}"):',
        "if False:",
    ),
    Mutant(
        "order lines keep the ids of their own system",
        _DISPATCH,
        '{**line, "product_id": known("product", line.get("product_id"))}',
        "line",
    ),
    Mutant(
        "a newcomer takes the key of another",
        _STATE,
        "    while state.get(entity, key) is not None:\n",
        "    while False:\n",
    ),
    Mutant(
        "a parted record is adopted",
        _SINGLE,
        "    if holder is not None:\n        link.candidates = [holder.key]\n",
        "    holder = None\n    if holder is not None:\n        link.candidates = [holder.key]\n",
    ),
    Mutant(
        "an order of both systems is compared in foreign ids",
        _PAIR,
        "            if same:\n",
        "            if False:\n",
    ),
    Mutant(
        "what has no twin yet is a difference",
        _PAIR,
        "            elif same is None:\n",
        "            elif False:\n",
    ),
    Mutant(
        "numbers start anew when two links become one",
        _JOINS,
        "ours.seq, ours.entries = max(ours.seq, theirs.seq), max(ours.entries, theirs.entries)",
        "ours.seq, ours.entries = 0, max(ours.entries, theirs.entries)",
    ),
    Mutant(
        "bulk ignores its window",
        _DISPATCH,
        'elif link.lane == "bulk" and not has_room(work, target):',
        "elif False:",
    ),
    Mutant(
        "the loser wins",
        _MERGE,
        'owner(policy, link, name) if by_a and by_b else "chargebee" if by_a else "poweroffice"',
        'other(owner(policy, link, name)) if by_a and by_b else "chargebee" if by_a else "poweroffice"',
    ),
    Mutant(
        "conflicts are not told",
        _MERGE,
        "    if edited_a and edited_b:\n        text",
        "    if False:\n        text",
    ),
    Mutant(
        "equal edits are written again",
        _MERGE,
        "        if x == y:\n            agree(a, name, x)\n            agree(b, name, y)\n        elif name in link.asked:",
        "        if name in link.asked:",
    ),
    Mutant(
        "a first link overwrites",
        _MERGE,
        '    if (\n        named != "ask"\n        and policy.first_link == "owner"\n        and may_write(policy, link, name, target)\n        and row.complete(value)\n    ):',
        "    if may_write(policy, link, name, target) and row.complete(value):",
    ),
    Mutant(
        "tax fields are filled",
        _MERGE,
        "fill = target in row.filled and may_write",
        "fill = may_write",
    ),
    Mutant(
        "an asked field is decided by the next edit",
        _MERGE,
        "        elif name in link.asked:\n            _ask(link, name, x, y, result)\n",
        "",
    ),
    Mutant(
        "what a person kept is asked again",
        f"{_LINKER}operators/records.py",
        "    link.asked = [each for each in link.asked if each != name]\n",
        "",
    ),
    Mutant("removals ignore the policy", _MERGE, 'return asked == "archive"', "return True"),
    Mutant(
        "shared e-mails merge parties",
        _MATCH,
        "and not _same_party(side.seen or {}, theirs.seen or {}):",
        "and False:",
    ),
    Mutant(
        "linked records are nobody's twins",
        _MATCH,
        "        return self.own + self.theirs + self.pairs",
        "        return self.own + self.theirs",
    ),
    Mutant(
        "a same party of the own system is nobody",
        _MATCH,
        "if same is None or party is None or not same.total:",
        "if True:",
    ),
    Mutant(
        "who is planned first takes the twin",
        _MATCH,
        "if (claim := _better_claim(",
        "if (claim := None and _better_claim(",
    ),
    Mutant(
        "a twin that refers to another is taken",
        _MATCH,
        'return say("twin_refers", what=SHOWN[rule], key=twin.key, reference=reference.text)',
        "pass",
    ),
    Mutant(
        "what was said to be new is asked again",
        _MATCH,
        "    if is_distinct(state, link.entity, system, side.id):\n        return Single()\n",
        "",
    ),
    Mutant("a newcomer changes nobody's mind", _DECIDE, "    plan_sharers(work)\n", ""),
    Mutant(
        "live creations do not look",
        _DISPATCH,
        "look_for_twins=look_for_twins,",
        "look_for_twins=False,",
    ),
    Mutant(
        "backfills look",
        _SINGLE,
        "not (link.backfill or link.twins or distinct)",
        "not (link.twins or distinct)",
    ),
    Mutant("a met twin is not waited for", _SINGLE, "    if unshown:\n", "    if False:\n"),
    Mutant("duplicates are not listed", _PAIR, "        _tell_duplicates(work, link)\n", ""),
    Mutant(
        "contacts with another role are matched",
        _MATCH,
        'if isinstance(found, Twin) and "other_role" in',
        'if False and "other_role" in',
    ),
    Mutant(
        "a record counts itself",
        _MATCH,
        "state.count(index) - state.holds(index, link.entity, link.key)",
        "state.count(index)",
    ),
    Mutant(
        "parted records are matched again",
        _MATCH,
        "            and not apart(state, link.entity, system, side.id, held.id)",
        "            and True\n            or apart(state, link.entity, system, side.id, held.id)",
    ),
    Mutant("breakers never open", _BREAKERS, "if count > passes:", "if False:"),
    Mutant("a window never ends", _BREAKERS, "> state.policy.breaker_window_s", "> 10**9"),
    Mutant(
        "the money breaker is deaf",
        _BREAKERS,
        "if limit is None or total is None or gap is None:",
        "if True:",
    ),
    Mutant(
        "a signal runs again",
        _OPERATORS,
        'if work.state.control("signal", signal.id) is not None:',
        "if False:",
    ),
    Mutant("another account is pinned anew", _SERVICES, "if not pinned:", "if True:"),
    Mutant(
        "a linked record is linked twice",
        _OPERATORS_LINKS,
        "        if taken is not None:\n",
        "        if False:\n",
    ),
    Mutant("a dry run folds", _COMPARE, "if found and only_looks:", "if False:"),
    Mutant(
        "a report repairs",
        _COMPARE,
        "if run.repair:\n        link.cause",
        "if True:\n        link.cause",
    ),
    Mutant(
        "a repair forgets what an older mapping carried",
        _COMPARE,
        "side.base.setdefault(name, carried)",
        "pass",
    ),
    Mutant(
        "what we are changing counts as drift",
        _COMPARE,
        "if flying or event.version < side.version:",
        "if event.version < side.version:",
    ),
    Mutant(
        "what looks older is not looked at",
        _COMPARE,
        "        _read_once_more(work, link, event.system, run_id, run)\n",
        "",
    ),
    Mutant(
        "a run ends before its records are read once more",
        _RUN_FACTS,
        'run.counts.get("asked", 0) == run.counts.get("answered", 0)',
        "True",
    ),
    Mutant(
        "a held batch changes under its reader",
        _RUN_FACTS,
        'return link.state == "held" or (dry',
        "return (dry",
    ),
    Mutant(
        "a part of a replay is asked for again",
        _COMPARE,
        "fresh = [each for each in records if each > run.after]",
        "fresh = records",
    ),
    Mutant(
        "a forgotten record comes back",
        _RUN_FACTS,
        "return fact is not None and version <= fact.version",
        "return False",
    ),
    Mutant("what is there is forgotten", _FORGET, "if not side.deleted:", "if False:"),
    Mutant(
        "two runs at once",
        _OPERATORS_RUNS,
        "if (under_way := runs.active(state)) is not None:",
        "if (under_way := None) is not None:",
    ),
    Mutant(
        "a rebuild goes on sending",
        _OPERATORS_RUNS,
        'facts.put(work.state, facts.Mode(mode="observe"))',
        "pass",
    ),
    Mutant(
        "a rebuild numbers commands anew",
        _OPERATORS_RUNS,
        "            raise_floor(work.state, link)\n            _keep",
        "            _keep",
    ),
    Mutant(
        "a rebuild forgets what a person decided",
        _OPERATORS_RUNS,
        "            _keep(work.state, link)\n",
        "",
    ),
    Mutant(
        "a rebuild clears twice",
        _OPERATORS_RUNS,
        'if run is None or run.state != "clearing":',
        "if False:",
    ),
    Mutant(
        "a finding is lost when the order is sent",
        _DISPATCH,
        'link.batch, link.passed = "", False\n    books.weigh(work, link)',
        'link.batch, link.passed = "", False\n    if state != "sent":\n        books.weigh(work, link)',
    ),
    Mutant(
        "a sent draft that was not to be sent is right",
        _FINDINGS,
        'twice = is_copy and status == "sent"',
        "twice = False and is_copy",
    ),
    Mutant(
        "what Go invoices is invoiced twice",
        _FINDINGS,
        "return by_chargebee and not born_in_go(link)",
        "return not born_in_go(link)",
    ),
    Mutant(
        "the settings of today say what a draft was",
        _FINDINGS,
        '    by_chargebee = (\n        policy.invoicing_by == "chargebee"\n        if link.notice is None\n        else link.notice.startswith(INVOICED)\n    )',
        '    by_chargebee = policy.invoicing_by == "chargebee" if True else link.notice.startswith(INVOICED)',
    ),
    Mutant("a reversed credit note counts", _STATE, '== "sent" and not is_void:', '== "sent":'),
    Mutant(
        "every order speaks for its invoice",
        _BOOKS,
        "return len(keys) <= MAX_SISTERS and link.key == min(",
        "return len(keys) <= MAX_SISTERS or link.key == min(",
    ),
    Mutant("lines are paired by their place", _FINDINGS, "for names in ALIKE:", "for names in ():"),
    Mutant(
        "another currency is the same money",
        _FINDINGS,
        "if all(currencies) and currencies[0] != currencies[1]:",
        "if False:",
    ),
    Mutant(
        "a hold is written for ever",
        _SINGLE,
        'status != "queued" and not link.put_on_hold:',
        'status != "queued":',
    ),
    Mutant(
        "what was settled unseen is settled",
        _BOOKS,
        "if said[0] is not None and said != (found.text, found.amount):",
        "if False:",
    ),
    Mutant("credits of Go count for nothing", _FINDINGS, "around.credited, sold)", "ZERO, sold)"),
    Mutant(
        "a void invoice still claims",
        _FINDINGS,
        'stands = not (is_gone(chargebee) or ours.get("void"))',
        "stands = not is_gone(chargebee)",
    ),
    Mutant(
        "a confirmed order need not be credited",
        _FINDINGS,
        'status not in ("sent", "confirmed")',
        'status != "sent"',
    ),
    Mutant("rounding of the net is rounding", _FINDINGS, 'gaps.get("net", ZERO) != 0 or ', ""),
    Mutant(
        "any VAT is rounding", _FINDINGS, "any(abs(gap) > step for gap in gaps.values())", "False"
    ),
    Mutant("VAT of lines is not compared", _FINDINGS, "if _tax_gap(line) > step]", "if False]"),
    Mutant(
        "our own import is a payment",
        _FINDINGS,
        '    paid = (seen.get("invoice") or {}).get("paid") and not (\n        born_in_go(link) and policy.imports_as_paid\n    )',
        '    paid = (seen.get("invoice") or {}).get("paid") and True',
    ),
    Mutant(
        "an order of Go is judged by its share",
        _FINDINGS,
        "if born_in_go(link) else None\n    if whole",
        "if False else None\n    if whole",
    ),
    Mutant(
        "sisters explain nothing",
        _BOOKS,
        "orders = [link, *_others(state, index, link)]",
        "orders = [link]",
    ),
    Mutant("a credit note moves no order", _BOOKS, 'if kind == "credits":', "if False:"),
    Mutant(
        "a sister moves no order",
        _BOOKS,
        'kind not in ("credits", "part", "invoice"):',
        'kind != "credits":',
    ),
    Mutant(
        "the first line never follows", _BOOKS, 'if wanted != (link.notice or ""):', "if False:"
    ),
    Mutant(
        "the first line is written for ever",
        _BOOKS,
        "return None if stands else wanted",
        "return wanted",
    ),
    Mutant(
        "a line that a person deleted stays away",
        _BOOKS,
        "return None if stands else wanted",
        "return None",
    ),
    Mutant(
        "a paid order is asked for again",
        _BOOKS,
        "return asked and is_paid and not link.paid_released",
        "return False",
    ),
    Mutant(
        "a settlement outlives its facts",
        "contracts/findings.py",
        "held is not None and (held.text, held.amount) == (finding.text, finding.amount)",
        "held is not None",
    ),
    Mutant(
        "a doubtful order is confirmed",
        _PAIR,
        "    if books.doubts(link):\n        return False\n",
        "",
    ),
    Mutant(
        "a removed draft is not made again",
        _PAIR,
        'if gone.system == "poweroffice" and link.removed:',
        "if False:",
    ),
    Mutant(
        "a draft that a person deleted is made again",
        _PAIR,
        'if gone.system == "poweroffice" and link.removed:',
        'if gone.system == "poweroffice":',
    ),
    Mutant(
        "a credit note is sold", _SITUATION, "if is_order and is_credit(side.seen):", "if False:"
    ),
    Mutant(
        "a generated order is shipped",
        _SINGLE,
        "    if queued and status",
        "    if False and status",
    ),
    Mutant(
        "a generated order stands for the sale",
        _BOOKS,
        "return holder if taken else None",
        "return None",
    ),
    Mutant(
        "an archived customer is invoiced",
        _SINGLE,
        "if twin is not None and not archived:",
        "if twin is not None:",
    ),
    Mutant(
        "one currency holds all",
        _BREAKERS,
        "return f\"{MONEY}-{target}-{currency or 'none'}\"",
        "return MONEY",
    ),
    Mutant(
        "what a creation met is forgotten when it was edited",
        _SINGLE,
        "    if met := _met(work, link, alone):",
        "    if (met := _met(work, link, alone)) and not link.twins:",
    ),
    Mutant(
        "a record does not know whose creation met it",
        _SINGLE,
        "    link.twins += [side.id for side in named",
        "    link.twins += [side.id for side in () and named",
    ),
    Mutant(
        "an unanswered creation is forgotten",
        _ANSWERS,
        "        tried(link, flight)",
        "        pass",
    ),
    Mutant(
        "a blank that may have been emptied is filled",
        _MERGE,
        "is_gap=name not in unlike",
        "is_gap=True",
    ),
    Mutant(
        "what an unanswered write covered is forgotten",
        _WRITES,
        "    if not arrived:\n",
        "    if True:\n",
    ),
    Mutant(
        "of a command a part of which was done nothing else can have come",
        _WRITES,
        "if left and not known and",
        "if left and not names and not known and",
    ),
    Mutant(
        "what an earlier command without an answer wrote is not known again",
        _WRITES,
        "any(_shows(command, fields, name, given_up) for name in wanted)",
        "any(_shows(command, fields, name) for name in wanted)",
    ),
    Mutant(
        "a reading of what was written and taken back tells nothing",
        _LATE,
        "was_written = was_written or is_whole or was_shown",
        "was_written = was_written or is_whole",
    ),
    Mutant(
        "our last value covers no edit where nobody names the author",
        _WRITES,
        'return "back" if last',
        'return "edit" if last',
    ),
    Mutant(
        "a stray request that changes nothing covers nothing",
        _LATE,
        'is_stray = made_by == "tandem" and not flying',
        "is_stray = False",
    ),
    Mutant(
        "an emptied field is no edit for a late request",
        _LATE,
        "return name not in side.unset and covered",
        "return covered is not None and name not in side.unset and covered",
    ),
    Mutant(
        "a late request that brings back what was agreed covers no edit",
        _LATE,
        "return name not in side.unset and covered",
        "return name in side.base and name not in side.unset and covered",
    ),
    Mutant(
        "a repeated write covers nothing",
        _LATE,
        "was_written = outcome.again",
        "was_written = False",
    ),
    Mutant(
        "a write in doubt was never taken back",
        _MERGE,
        "may_be_back = has_moved(held.doubted_at, held.version)",
        "may_be_back = False",
    ),
)
