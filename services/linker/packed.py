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

    def __init__(self, names: tuple[Id, ...], values: list[bytes]) -> None:
        self.names, self.left = names, len(names)
        self.packed = bytes(cramjam.lz4.compress_block(_encoder.encode(values)))

    def opened(self) -> dict[Id, bytes]:
        """All of them by name, as they were packed."""
        values = _decoder.decode(cramjam.lz4.decompress_block(self.packed))
        return dict(zip(self.names, values, strict=True))


class Links(MutableMapping[Id, bytes]):
    """A dictionary of encoded links by name, in the order in which names were first set."""

    def __init__(self) -> None:
        self._held: dict[Id, bytes | _Block] = {}
        self._plain: dict[Id, None] = {}
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
        self._plain[name] = None
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

    def pack(self) -> None:
        """Pack every link that is kept as it is."""
        names = iter(self._plain)
        while together := tuple(islice(names, TOGETHER)):
            block = _Block(together, [self[name] for name in together])
            for name in together:
                self._held[name] = block
        self._plain.clear()

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
                self._plain[name] = None
        if block is self._block:
            self._block, self._opened = None, {}
