"""The encoded links of a tenant in memory: those that changed last as they are, all others packed
in blocks of a few, since links are alike."""

from collections.abc import Iterator, MutableMapping
from itertools import islice

import cramjam
import msgspec

Id = str  # "entity/key"
PLAIN = 10_000  # links that are kept as they are; opening a packed one takes some 4 us
TOGETHER = 8  # links of a block
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


class _Block:
    """Links that are packed together. `left` is how many of them still stand as they did then."""

    __slots__ = ("left", "names", "packed")

    def __init__(self, links: dict[Id, bytes]) -> None:
        self.names, self.left = tuple(links), len(links)
        self.packed = bytes(cramjam.lz4.compress_block(_encoder.encode(list(links.values()))))

    def opened(self) -> dict[Id, bytes]:
        """All of them by name, as they were packed."""
        values = _decoder.decode(cramjam.lz4.decompress_block(self.packed))
        return dict(zip(self.names, values, strict=True))


class Links(MutableMapping[Id, bytes]):
    """A dictionary of encoded links by name, in the order in which names were first set."""

    def __init__(self) -> None:
        self._held: dict[Id, bytes | _Block] = {}
        self._plain: dict[Id, bytes] = {}  # of these, what is kept as it is
        self._block: _Block | None = None  # the one that was read last, and what is in it
        self._opened: dict[Id, bytes] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Id]:
        return iter(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __getitem__(self, name: Id) -> bytes:
        held = self._held[name]
        return held if isinstance(held, bytes) else self._unpacked(held, name)

    def find(self, name: Id) -> bytes | None:
        """The link of a name, or None."""
        held = self._held.get(name)
        return held if held is None or isinstance(held, bytes) else self._unpacked(held, name)

    def __setitem__(self, name: Id, value: bytes) -> None:
        before = self._held.get(name)
        self._held[name] = value
        self._plain[name] = value
        if isinstance(before, _Block):
            self._left(before)
        if len(self._plain) >= PLAIN:
            self.pack()

    def __delitem__(self, name: Id) -> None:
        before = self._held.pop(name)
        if isinstance(before, _Block):
            self._left(before)
        else:
            del self._plain[name]

    def put_last(self, name: Id, value: bytes) -> None:
        """Set a link as the last one, wherever it stood."""
        if name in self._held:
            del self[name]
        self._held[name] = value
        self._plain[name] = value
        if len(self._plain) >= PLAIN:
            self.pack()

    def pack(self) -> None:
        """Pack every link that is kept as it is."""
        plain = iter(self._plain.items())
        while together := dict(islice(plain, TOGETHER)):
            self._held.update(dict.fromkeys(together, _Block(together)))
        self._plain.clear()

    def walk(self) -> Iterator[tuple[Id, bytes]]:
        """All names and links in order, each block opened once where its links stand together."""
        block, opened = None, dict[Id, bytes]()
        for name, held in self._held.items():
            if isinstance(held, bytes):
                yield name, held
                continue
            if held is not block:
                block, opened = held, held.opened()
            yield name, opened[name]

    def _unpacked(self, block: _Block, name: Id) -> bytes:
        if block is not self._block:
            self._block, self._opened = block, block.opened()
        return self._opened[name]

    def _left(self, block: _Block) -> None:
        """One of a block's links was changed or removed. A block of which half is left is taken
        apart, so that what nobody needs takes at most as much memory as what is needed."""
        block.left -= 1
        if block.left > len(block.names) // 2:
            return
        for name, value in block.opened().items():
            if self._held.get(name) is block:
                self._held[name] = value
                self._plain[name] = value
        if block is self._block:
            self._block, self._opened = None, {}
