"""The state of a tenant in memory: encoded links, one inverted index, control facts, and overlays
over them."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice
from typing import Any

import msgspec

from contracts.decoding import UNREADABLE
from contracts.echoes import Echoes
from contracts.entities import EntityName
from contracts.links import LinkKeys, encode
from contracts.messages import Link
from services.linker.packed import Id, Links
from services.linker.state import Policy, index_keys, is_pair

_decoder = msgspec.json.Decoder(Link)
_keys_decoder = msgspec.json.Decoder(LinkKeys)
AT_ONCE = 2000  # links that are indexed before others get a turn
Bucket = OrderedDict[Id, None]


def link_id(entity: EntityName, key: str) -> Id:
    """How the store names a link."""
    return f"{entity}/{key}"


def _split(name: Id) -> tuple[EntityName, str]:
    entity, _, key = name.partition("/")
    return entity, key  # type: ignore[return-value]


class Store:
    """What has been committed. `load` and `indexing` restore it, then only `absorb` changes it."""

    def __init__(self, tenant: str, policy: Policy) -> None:
        self.tenant, self.policy = tenant, policy
        self.links = Links()
        self._sizes: Counter[str] = Counter()
        self._pairs: Counter[str] = Counter()
        self._index: dict[str, Id | Bucket] = {}
        self.controls: dict[str, dict[str, Any]] = {}
        self.echoes = Echoes()

    def raw(self, name: Id) -> bytes | None:
        return self.links.find(name)

    def iterate(self, index: str) -> Iterator[Id]:
        held = self._index.get(index)
        return iter(()) if held is None else iter((held,)) if isinstance(held, str) else iter(held)

    def first_name(self, index: str) -> Id | None:
        held = self._index.get(index)
        return held if held is None or isinstance(held, str) else next(iter(held), None)

    def count(self, index: str) -> int:
        held = self._index.get(index)
        return 0 if held is None else 1 if isinstance(held, str) else len(held)

    def holds_name(self, index: str, name: Id) -> bool:
        held = self._index.get(index)
        return held is not None and (held == name if isinstance(held, str) else name in held)

    def size(self, entity: EntityName) -> int:
        """How many links an entity has, those with one side included."""
        return self._sizes[entity]

    def pairs(self, entity: EntityName) -> int:
        """How many links of an entity know both records."""
        return self._pairs[entity]

    def names(self) -> Iterator[Id]:
        return iter(self.links)

    def control(self, kind: str, id: str) -> dict[str, Any] | None:
        return self.fact(f"{kind}/{id}")

    def fact(self, name: str) -> dict[str, Any] | None:
        """A control fact by `kind/id`."""
        return self.controls.get(name)

    def facts(self, kind: str) -> dict[str, dict[str, Any]]:
        """Every control fact of a kind, by id."""
        return {
            name.partition("/")[2]: fact
            for name, fact in self.controls.items()
            if name.startswith(f"{kind}/")
        }

    def child(self) -> "Overlay":
        return Overlay(self)

    def load(self, name: Id, value: bytes | None) -> None:
        """Take one record of the changelog; `indexing` follows the last one."""
        if value is not None:
            self.links.put_last(name, value)  # their order is that of their last change
        elif name in self.links:
            del self.links[name]

    def build_index(self) -> list[Id]:
        """Index all links at once; see `indexing`."""
        return [name for unread in self.indexing() for name in unread]

    def indexing(self) -> Iterator[list[Id]]:
        """Index all links, some at each step: of the records of a link only the last is ever
        decoded. Yields those that cannot be decoded, which are left out."""
        self._index.clear()
        self._sizes.clear()
        self._pairs.clear()
        self.links.pack()
        links, unread = self.links.walk(), list[Id]()
        while some := list(islice(links, AT_ONCE)):
            before = len(unread)
            for name, value in some:
                try:
                    link = _keys_decoder.decode(value)
                except UNREADABLE:
                    unread.append(name)
                    continue
                keys = index_keys(link)
                self._sizes[link.entity] += 1
                self._pairs[link.entity] += is_pair(keys)
                self._add(name, keys)
            yield unread[before:]
        for name in unread:
            del self.links[name]

    def absorb(self, overlay: "Overlay") -> None:
        """Take over what an overlay changed."""
        for name, (value, gone, come) in overlay.changes.items():
            if value is None:
                self._sizes[_split(name)[0]] -= self.links.pop(name, None) is not None
            else:
                if name not in self.links:
                    self._sizes[_split(name)[0]] += 1
                self.links[name] = value
            if gone != come:
                self._pairs[_split(name)[0]] += is_pair(come) - is_pair(gone)
                self._unindex(name, gone)
                self._add(name, come)
        self.controls.update(overlay.controls)

    def _add(self, name: Id, keys: list[str]) -> None:
        for key in keys:
            held = self._index.setdefault(key, name)
            if held is name or held == name:
                continue
            if isinstance(held, str):
                self._index[key] = OrderedDict.fromkeys((held, name))
            else:
                held[name] = None

    def _unindex(self, name: Id, keys: list[str]) -> None:
        for key in keys:
            held = self._index.get(key)
            if held == name:
                del self._index[key]
            elif isinstance(held, OrderedDict):
                held.pop(name, None)
                if not held:
                    del self._index[key]


class Overlay:
    """Changes over a store or another overlay: `changes` maps a link to its value and the index
    keys it leaves and enters. One is made for every message, and most messages change no bucket."""

    __slots__ = (
        "_grown",
        "_keys_before",
        "_moves",
        "changes",
        "controls",
        "parent",
        "policy",
        "tenant",
    )

    def __init__(self, parent: "Store | Overlay") -> None:
        self.parent = parent
        self.tenant: str = parent.tenant
        self.policy: Policy = parent.policy
        self.changes: dict[Id, tuple[bytes | None, list[str], list[str]]] = {}
        self.controls: dict[str, dict[str, Any]] = {}
        self._keys_before: dict[Id, list[str]] = {}
        self._moves: dict[
            str, dict[Id, bool]
        ] = {}  # per index key: who entered (True) or left, in this order
        self._grown: dict[str, int] = {}  # by how many a bucket has grown

    def raw(self, name: Id) -> bytes | None:
        changed = self.changes.get(name)
        return self.parent.raw(name) if changed is None else changed[0]

    def get(self, entity: EntityName, key: str) -> Link | None:
        """A private copy of a link."""
        return self._get(link_id(entity, key))

    def _get(self, name: Id) -> Link | None:
        value = self.raw(name)
        if value is None:
            return None
        link = _decoder.decode(value)
        if name not in self.changes:
            self._keys_before[name] = index_keys(link)
        return link

    def put(self, link: Link) -> None:
        self._change(link_id(link.entity, link.key), encode(link), index_keys(link))

    def remove(self, entity: EntityName, key: str) -> None:
        self._change(link_id(entity, key), None, [])

    def _change(self, name: Id, value: bytes | None, come: list[str]) -> None:
        changed = self.changes.get(name)
        if changed is not None:
            _, gone, before = changed
        else:
            gone = before = self._keys_before.get(name) or self._index_keys_below(name)
        self._move(name, before, come)
        self.changes[name] = (value, gone, come)

    def _index_keys_below(self, name: Id) -> list[str]:
        old = self.parent.raw(name)
        return [] if old is None else index_keys(_decoder.decode(old))

    def _move(self, name: Id, old: list[str], new: list[str]) -> None:
        if old == new:
            return
        for key in old:
            if key not in new:
                self._moves.setdefault(key, {})[name] = False
                self._grown[key] = self._grown.get(key, 0) - 1
        for key in new:
            if key not in old:
                moves = self._moves.setdefault(key, {})
                moves.pop(name, None)
                moves[name] = True
                self._grown[key] = self._grown.get(key, 0) + 1

    def first(self, index: str) -> tuple[EntityName, str] | None:
        """The oldest link under an index key."""
        name = self.first_name(index)
        return None if name is None else _split(name)

    def first_link(self, index: str) -> Link | None:
        """A private copy of the oldest link under an index key."""
        name = self.first_name(index)
        return None if name is None else self._get(name)

    def first_name(self, index: str) -> Id | None:
        return (
            next(self._changed(index), None)
            if index in self._moves
            else self.parent.first_name(index)
        )

    def find(self, index: str, limit: int | None = None) -> list[tuple[EntityName, str]]:
        """The first links under an index key, oldest entry first."""
        if self.first_name(index) is None:
            return []
        return [_split(name) for name in islice(self.iterate(index), limit)]

    def following(self, index: str, after: Id, limit: int) -> list[tuple[EntityName, str]]:
        """The first links under an index key by name, on from one: a way through all of them that
        does not depend on who leaves meanwhile."""
        return [
            _split(name)
            for name in nsmallest(limit, (each for each in self.iterate(index) if each > after))
        ]

    def iterate(self, index: str) -> Iterator[Id]:
        return self._changed(index) if index in self._moves else self.parent.iterate(index)

    def _changed(self, index: str) -> Iterator[Id]:
        moves = self._moves[index]
        for name in self.parent.iterate(index):
            if name not in moves:
                yield name
        for name, entered in moves.items():
            if entered:
                yield name

    def count(self, index: str) -> int:
        """How many links stand under an index key."""
        return self.parent.count(index) + self._grown.get(index, 0)

    def count_before(self, index: str) -> int:
        """How many links stood under an index key before these changes."""
        return self.parent.count(index)

    def moved(self) -> list[str]:
        """The index keys that a link has entered or left by these changes."""
        return list(self._moves)

    def holds(self, index: str, entity: EntityName, key: str) -> bool:
        """Whether a link stands under an index key."""
        return self.holds_name(index, link_id(entity, key))

    def holds_name(self, index: str, name: Id) -> bool:
        entered = self._moves.get(index, {}).get(name)
        return self.parent.holds_name(index, name) if entered is None else entered

    def size(self, entity: EntityName) -> int:
        return self.parent.size(entity)

    def pairs(self, entity: EntityName) -> int:
        return self.parent.pairs(entity)

    def names(self) -> Iterator[Id]:
        yield from (name for name in self.parent.names() if name not in self.changes)
        yield from (name for name, change in self.changes.items() if change[0] is not None)

    def some(self, limit: int) -> list[tuple[EntityName, str]]:
        """Some of the links there are."""
        return [_split(name) for name in islice(self.names(), limit)]

    def facts(self, kind: str) -> dict[str, dict[str, Any]]:
        """Every control fact of a kind, by id."""
        own = {
            name.partition("/")[2]: fact
            for name, fact in self.controls.items()
            if name.startswith(f"{kind}/")
        }
        return {**self.parent.facts(kind), **own}

    def control(self, kind: str, id: str) -> dict[str, Any] | None:
        return self.fact(f"{kind}/{id}")

    def fact(self, name: str) -> dict[str, Any] | None:
        held = self.controls.get(name)
        return self.parent.fact(name) if held is None else held

    def set_control(self, kind: str, id: str, value: dict[str, Any]) -> None:
        self.controls[f"{kind}/{id}"] = value

    def child(self) -> "Overlay":
        return Overlay(self)

    def absorb(self, overlay: "Overlay") -> None:
        """Take over what a child changed."""
        for name, (value, gone, come) in overlay.changes.items():
            mine = self.changes.get(name)
            if mine is not None:
                self._move(name, mine[2], come)
                gone = mine[1]
            else:
                self._move(name, gone, come)
            self.changes[name] = (value, gone, come)
        self.controls.update(overlay.controls)
