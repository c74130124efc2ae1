"""A list of thousands of records, while people edit. Ends with the judgement."""

from tests.faults.books import System
from tests.faults.oracle import Verdict
from tests.faults.world import World
from tests.waiting import wait_for

RECORDS = 2000
EDITS = 10
MOST_AHEAD = 200  # of the list, that may pass before an edit has crossed
RARELY_S = 30  # reads Go whole: with so many records that is a load of its own


def long_list(world: World) -> Verdict:
    """Thousands of customers stand in Chargebee when the services begin, and are made in Go one
    after another; who edits a linked one meanwhile does not wait for them."""
    editor, rig = world.editor, world.rig
    hook = rig.settings_of("chargebee")["webhook_url"]
    rig.settings("chargebee", webhook_url=None)  # there is nobody yet who would listen
    twins = [editor.twin() for _ in range(4)]
    world.allowed |= {twin.mark for twin in twins}
    for _ in range(RECORDS):
        editor.add_customer("chargebee")
    rig.settings("chargebee", webhook_url=hook)
    rig.sweep_s = RARELY_S
    rig.write_settings()
    rig.start()
    wait_for("the list is being carried over", lambda: _made(world))
    ahead = [_records_before(world, number, twins[number % 4].mark) for number in range(EDITS)]
    left = RECORDS - _made(world)
    verdict = world.judged(replay=False)
    if left <= 0:
        verdict.unexplained.append("the list had ended before the last edit: nothing was shown")
    if max(ahead) > MOST_AHEAD:
        verdict.unexplained.append(f"edits waited for {ahead} records of the list")
    world.words.append(f"edits waited for {min(ahead)} to {max(ahead)} of {RECORDS} records")
    return verdict


def _made(world: World) -> int:
    """How many customers were made in Go by now."""
    return sum(write.kind == "POST /Customers" for write in list(world.proxy.writes))


def _records_before(world: World, number: int, mark: str) -> int:
    """Edit a linked customer, and count the records that were made until the edit had crossed."""
    editor, began = world.editor, _made(world)
    record = editor.records[mark]
    source, target = _sides(number)
    edit = editor.edit(record, "address", source)
    wait_for(f"edit {edit.number} crosses", lambda: editor.shows(record, target, edit.value))
    return _made(world) - began


def _sides(number: int) -> tuple[System, System]:
    return ("chargebee", "poweroffice") if number % 2 else ("poweroffice", "chargebee")
