"""The index of links: the same after a restore, and through overlays that are absorbed or
dropped."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contracts.entities import ENTITIES, EntityName
from contracts.links import LinkKeys
from contracts.messages import Link, LinkState, Side
from services.linker.state import Policy, index_keys
from services.linker.store import Overlay, Store, link_id
from tests.examples import examples
from tests.property.world import World

STATES: tuple[LinkState, ...] = ("linked", "pending", "waiting", "parked", "rejected")
seeds = st.integers(0, 2**32)


@examples(100)
@given(seed=seeds, breakers=st.booleans())
def test_a_restore_finds_links_by_the_same_keys(seed: int, breakers: bool) -> None:
    """It reads only a part of each link, in whatever state a history has left it."""
    world = World(seed, owner="chargebee", carries_removals=True, breakers=breakers)
    for _ in range(60):
        world.step()
    restored = Store(world.tenant, world.policy)
    for name, value in world.changelog.items():
        whole, part = (
            msgspec.json.decode(value, type=Link),
            msgspec.json.decode(value, type=LinkKeys),
        )
        assert index_keys(part) == index_keys(whole)
        restored.load(name, value)
    restored.build_index()
    assert restored.links == world.store.links
    assert _members(restored) == _members(world.store)
    assert [restored.size(each) for each in ENTITIES] == [
        world.store.size(each) for each in ENTITIES
    ]


@examples(300)
@given(seed=seeds)
def test_overlays_count_and_find_what_there_is(seed: int) -> None:
    """Two layers over a store, as in a batch; some messages fail and their layer is dropped."""
    pick = random.Random(seed)
    store = Store("t", Policy())
    for _ in range(3):
        batch = store.child()
        for _ in range(6):
            child = batch.child()
            for _ in range(pick.randrange(4)):
                _change(child, pick)
            _check(child, store)
            if pick.random() < 0.7:
                batch.absorb(child)
            _check(batch, store)
        store.absorb(batch)
        _check(store.child(), store)


def _members(store: Store) -> dict[str, set[str]]:
    return {index: set(store.iterate(index)) for index in store._index}


def _change(state: Overlay, pick: random.Random) -> None:
    entity: EntityName = pick.choice(("customer", "product"))
    key = pick.choice("abcde")
    if pick.random() < 0.2:
        state.remove(entity, key)
        return
    link = state.get(entity, key) or Link(tenant="t", entity=entity, key=key)
    seen = {
        "email": pick.choice(("x", "y", None)),
        "name": pick.choice(("x", None)),
        "code": pick.choice("xy"),
    }
    link.chargebee = Side(id=key, version="1", seen=seen) if pick.random() < 0.7 else None
    link.poweroffice = (
        Side(id=key, version="1", seen=seen, stamp=pick.choice("xy"))
        if pick.random() < 0.7
        else None
    )
    link.state = pick.choice(STATES)
    link.waiting_on = pick.choices("xyz", k=pick.randrange(4))
    state.put(link)


def _check(state: Overlay, store: Store) -> None:
    expected: dict[str, set[str]] = {}
    for name in state.names():
        entity, _, key = name.partition("/")
        link = state.get(entity, key)  # type: ignore[arg-type]
        assert link is not None and link_id(link.entity, link.key) == name
        for index in index_keys(link):
            expected.setdefault(index, set()).add(name)
    for index in {*expected, *store._index}:
        found = [link_id(*each) for each in state.find(index)]
        assert len(found) == state.count(index)
        assert set(found) == expected.get(index, set())
        assert state.first_name(index) == (found[0] if found else None)
