"""What people do to orders, invoices and drafts while others edit. Each ends with the judgement."""

from functools import partial

from tests.faults.oracle import Verdict
from tests.faults.weather import CALM, MILD, Weather
from tests.faults.world import World
from tests.waiting import wait_for

# Everything by which the product learns what has happened to a document.
READINGS = ("GET /events", "GET /SalesOrders", "GET /OutgoingInvoices")
UNREAD = Weather(always={kind: "kept" for kind in READINGS}, hook_rate=1.0, hooks={"late": 1})


def invoices(world: World) -> Verdict:
    """The invoices are the sales: they are paid, credited, voided, and their drafts sent, before
    and after they were first seen."""
    world.start()
    editor = world.editor
    made = [record for _ in range(8) if (record := editor.add_order()) is not None]
    world.settle()
    world.weather(MILD)
    for number, record in enumerate(made):
        if number % 4 == 0:
            editor.pay(record)
        if number % 4 == 1:
            editor.void(record)
        if number % 4 == 2:
            editor.pay(record)
            editor.send_by_mistake(record)
            editor.credit(record, 1000)
        if number % 4 == 3:
            editor.send_by_mistake(record)
            editor.void(record)
        world.play(1)
    for number in range(6):
        record = editor.add_order()
        assert record is not None
        if number % 3 == 0:
            editor.void(record)
        else:
            editor.pay(record)
        if number % 3 == 1:
            editor.credit(record, 1000)
        world.play(1)
    for number in range(4):
        draft = editor.add_draft()
        assert draft is not None
        editor.edit_quantity(draft)
        while editor.send_draft() is not None:
            pass
        if number % 2:
            editor.credit_in_go(draft)
        world.play(1)
    return world.judged()


def order_fields(world: World) -> Verdict:
    """Dates, notes, references and addresses of orders and of their drafts are edited on both
    sides, also at once; and lines while they are drafts."""
    world.start()
    editor = world.editor
    for _ in range(5):
        editor.add_order()
    world.settle()
    world.weather(MILD)
    for number in range(24):
        editor.edit_sale()
        if number % 6 == 2:
            editor.edit_address(world.rng.choice(editor.drafts()))
        if number % 6 == 5:
            draft = editor.add_draft()
            assert draft is not None
            world.play(1)
            editor.edit_quantity(draft)
        if number == 12:
            editor.edit_quantity(world.rng.choice(editor.drafts()))
        world.play(1)
    while editor.send_draft() is not None:
        pass
    return world.judged()


def reopened(world: World) -> Verdict:
    """Orders are sent, credited, cancelled and reopened while nobody reads: what was in between is
    never seen. Then orders are reopened whose draft was removed."""
    world.start()
    editor = world.editor
    for _ in range(10):
        editor.add_order()
    world.settle()
    made = editor.drafts()
    for number, record in enumerate(made[:8]):
        if number % 4 == 0:
            _unread(world)
        if number % 4 in (0, 1):
            editor.send_by_mistake(record)
        if number % 4 == 0:
            editor.credit(record, 1000)
        editor.cancel_and_reopen(record, credit=number % 2 == 1)
        if number % 4 == 3:
            _read_again(world)
            world.play(3)
    world.weather(MILD)
    for record in made[8:]:
        editor.cancel(record)
        wait_for("its draft is gone", partial(editor.holds_draft, record), lambda held: not held)
        world.play(2)
        editor.reopen(record)
        world.play(2)
    return world.judged()


def _unread(world: World) -> None:
    """Nobody hears any more of what happens to documents."""
    kept = world.proxy.faults["kept"]
    world.weather(UNREAD)
    wait_for("nobody reads", lambda: world.proxy.faults["kept"] >= kept + len(READINGS))


def _read_again(world: World) -> None:
    world.weather(CALM)
    world.proxy.release()
    world.proxy.deliver_late()
    world.weather(MILD)
