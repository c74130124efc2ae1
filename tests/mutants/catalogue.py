"""The mutants: a name, the file, the text and what it is replaced with. Each text stands exactly once in its file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault a hurried person could make."""

    name: str
    file: str
    old: str
    new: str


_DECIDE, _PLAN, _MERGE = "services/linker/decide.py", "services/linker/plan.py", "services/linker/merge.py"
_MATCH, _STATE = "services/linker/match.py", "services/linker/state.py"
_BREAKERS, _OPERATORS = "services/linker/breakers.py", "services/linker/operators.py"
_OPERATOR_LINKS = "services/linker/operator_links.py"
_RUNS, _OPERATOR_RUNS = "services/linker/runs.py", "services/linker/operator_runs.py"

MUTANTS = (
    Mutant("older readings are taken", _STATE, 'if event.version < side.version:\n        return "older"',
           'if False:\n        return "older"'),
    Mutant("an unmoved version is an edit", _STATE, "if event.version == side.version:", "if False:"),
    Mutant("a new mapping is an edit", _STATE, "event.data, edit=False)", "event.data)"),
    Mutant("the base is forgotten when an edit is seen", _STATE,
           "side.base[name] = old.get(name)", "pass"),
    Mutant("the base of a written field is what was sent", _DECIDE, "agree(target, name, outcome.data.get(name))",
           "agree(target, name, flight.command.fields.get(name))"),
    Mutant("the base of the source is what it holds now", _DECIDE,
           "agree(source, name, flight.planned.get(name, flight.command.fields.get(name)))",
           "agree(source, name, (source.seen or {}).get(name))"),
    Mutant("any outcome counts", _DECIDE, " or link.flight.command.seq != outcome.seq:", ":"),
    Mutant("an adopted record counts as written", _DECIDE, 'case "adopted":\n',
           'case "adopted":\n                self._agree(link, flight, outcome, tuple(command.fields))\n'),
    Mutant("an unanswered write is forgotten", _DECIDE, 'if command.op == "update" and (outcome.result == "rejected" or outcome.maybe_applied):', "if False:"),
    Mutant("a doubtful field that looks equal is agreed", _MERGE, "if name in a.doubt or name in b.doubt:",
           "if (name in a.doubt or name in b.doubt) and a.seen.get(name) != b.seen.get(name):"),
    Mutant("a stale outcome counts nothing as done", _DECIDE, "outcome, outcome.done)", "outcome, ())"),
    Mutant("a stale outcome counts everything as done", _DECIDE, "outcome, outcome.done)",
           "outcome, tuple(command.fields))"),
    Mutant("a covered edit is not told", _DECIDE, "if not write.planned < version < write.returned:", "if True:"),
    Mutant("a reply never moves what is seen", _DECIDE, "elif outcome.version >= side.version:", "elif False:"),
    Mutant("what a deletion hides is not read from the reply", _DECIDE,
           'elif side.deleted and target == "poweroffice":', "elif False:"),
    Mutant("the removal of a draft is not noticed", _DECIDE, "if outcome.deleted:", "if False:"),
    Mutant("two links keep one record", _DECIDE, "self.state.remove(holder.entity, holder.key)", "pass"),
    Mutant("orders before the start are taken", _DECIDE,
           "return start is None or (date is not None and date < start)", "return False"),
    Mutant("a refusal out of date is final", _DECIDE, "if side is not None and _changed_since(side, command):",
           "if False:"),
    Mutant("being read again is a reason to try again", _DECIDE, 'if folded == "newer" and link.state == "rejected" and _looks(side) == before:',
           "if False:"),
    Mutant("a re-reading makes a refusal out of date", _DECIDE, 'planned = (command.target_version or "").partition("#")[0]',
           'planned = command.target_version or ""'),
    Mutant("the barrier is skipped", _PLAN, "if not self.barrier_open(entity):", "if False:"),
    Mutant("a second command while one is in flight", _PLAN, "if link.flight is not None:\n            self.state.put(link)\n            return",
           "if False:\n            return"),
    Mutant("the expected values are left out", _PLAN, "expected=guard or (expected(link, target, fields) if side else {})",
           "expected={}"),
    Mutant("edits against deletions are carried", _PLAN, "if gone is not None and self._meets_deletion(link, result.writes):", "if False:"),
    Mutant("gone records are created elsewhere", _PLAN, "if is_gone(side) or side.seen is None:",
           "if side.seen is None:"),
    Mutant("sent orders are written to", _PLAN, 'if theirs.get("status") == "sent":', "if False:"),
    Mutant("an edited draft is removed", _PLAN, "        if edits:\n            target_words", "        if False:\n            target_words"),
    Mutant("wrong totals are confirmed", _PLAN, 'return asked and delivered and not {', "return asked and delivered and True or {"),
    Mutant("an order is confirmed again and again", _PLAN, "and not link.confirmed", ""),
    Mutant("drafts of Go are taken over", _PLAN, "and not self._taken_over(side.seen):", "and False:"),
    Mutant("observe sends", _PLAN, 'if self.mode() != "sync":\n            return "observe", "observe"', ""),
    Mutant("a pause is not heeded", _PLAN, 'if self.state.control("pause", f"{entity}/{target}"):', "if False:"),
    Mutant("order lines keep the ids of their own system", _PLAN,
           '{**line, "product_id": self._id_in(target, "product", line.get("product_id"))}', "line"),
    Mutant("numbers start anew when two links become one", _PLAN,
           "ours.seq, ours.entries = max(ours.seq, theirs.seq), max(ours.entries, theirs.entries)",
           "ours.seq, ours.entries = 0, max(ours.entries, theirs.entries)"),
    Mutant("bulk ignores its window", _PLAN, '>= self.state.policy.window:\n            link.plan = command',
           '>= 10**9:\n            link.plan = command'),
    Mutant("the loser wins", _MERGE,
           'owner(policy, link, name) if by_a and by_b else "chargebee" if by_a else "poweroffice"',
           'other(owner(policy, link, name)) if by_a and by_b else "chargebee" if by_a else "poweroffice"'),
    Mutant("conflicts are not told", _MERGE, "    if by_a and by_b:\n        text", "    if False:\n        text"),
    Mutant("equal edits are written again", _MERGE, "        if x == y:\n            agree(a, name, x)\n            agree(b, name, y)\n        elif first:",
           "        if first:"),
    Mutant("a first link overwrites", _MERGE, 'if policy.first_link == "owner" and may_write', "if may_write"),
    Mutant("tax fields are filled", _MERGE, "fill = (link.entity, name, target) not in NEVER_FILLED and may_write",
           "fill = may_write"),
    Mutant("removals ignore the policy", _MERGE, 'return asked == "archive"', "return True"),
    Mutant("shared e-mails merge parties", _MATCH, "and not _same_party(seen, theirs.seen or {}):", "and False:"),
    Mutant("contacts with another role are matched", _MATCH, 'if isinstance(found, Twin) and "other_role" in', 'if False and "other_role" in'),
    Mutant("a newcomer has no twin", _MATCH, "all(key == link.key for _, key in ours)", "len(ours) == 1"),
    Mutant("parted records are matched again", _MATCH,
           "if link is not None and theirs is not None and not apart(", "if link is not None and theirs is not None and True or apart("),
    Mutant("breakers never open", _BREAKERS, 'if held["count"] > passes:', "if False:"),
    Mutant("a window never ends", _BREAKERS, '> state.policy.breaker_window_s:', "> 10**9:"),
    Mutant("the money breaker is deaf", _BREAKERS, "if limit is None or ours is None or theirs is None:", "if True:"),
    Mutant("a signal runs again", _OPERATORS, 'if work.state.control("signal", signal.id) is not None:', "if False:"),
    Mutant("another account is pinned anew", _OPERATORS, "if pinned is None:", "if True:"),
    Mutant("a linked record is linked twice", _OPERATOR_LINKS, "        if taken is not None:\n", "        if False:\n"),
    Mutant("a dry run folds", _RUNS, 'if found and run.get("dry_run"):', "if False:"),
    Mutant("a report repairs", _RUNS, 'if run.get("repair"):\n        link.cause', "if True:\n        link.cause"),
    Mutant("a repair forgets what an older mapping carried", _RUNS, "side.base.setdefault(name, carried)", "pass"),
    Mutant("what we are changing counts as drift", _RUNS,
           "if event.version < side.version or (link.flight is not None and link.flight.command.target == event.system):",
           "if event.version < side.version:"),
    Mutant("a held batch changes under its reader", _RUNS, 'return link.state == "held" or (dry', "return (dry"),
    Mutant("a part of a replay is asked for again", _RUNS, 'fresh = [each for each in records if each > run.get("after", [])]',
           "fresh = records"),
    Mutant("a forgotten record comes back", _RUNS, 'return bool(fact) and version <= (fact or {})["version"]', "return False"),
    Mutant("what is there is forgotten", _OPERATOR_RUNS, "if not side.deleted:", "if False:"),
    Mutant("two runs at once", _OPERATOR_RUNS, "if (under_way := runs.active(state)) is not None:",
           "if (under_way := None) is not None:"),
    Mutant("a rebuild goes on sending", _OPERATOR_RUNS, 'work.state.set_control("mode", "~", {"mode": "observe"})', "pass"),
    Mutant("a rebuild numbers commands anew", _OPERATOR_RUNS, "            raise_floor(work.state, link)\n            _keep", "            _keep"),
    Mutant("a rebuild forgets what a person decided", _OPERATOR_RUNS, "            _keep(work.state, link)\n", ""),
    Mutant("a rebuild clears twice", _OPERATOR_RUNS,
           'if (work.state.control("run", run_id) or {}).get("state") != "clearing":', "if False:"),
)  # fmt: skip
