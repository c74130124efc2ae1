"""A small JSON file beside the read model, in which what people chose on the page outlives a
restart."""

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from contracts.said import SaidError, say
from runtime.private import open_private
from runtime.unusable import Unusable

Value = TypeVar("Value")


class Unwritable(SaidError, Unusable):
    """The file cannot be written; the text says which, and why."""


class KeptFile(Generic[Value]):
    """A file of values by name, which `decoder` reads; for its owner's eyes only."""

    def __init__(self, file: Path, decoder: msgspec.json.Decoder[dict[str, Value]]) -> None:
        self._file, self._decoder = file, decoder

    def read(self) -> dict[str, Value]:
        """What it holds; nothing where it is not there yet, or not what this release writes."""
        try:
            return self._decoder.decode(self._file.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return {}

    def write(self, held: dict[str, Value]) -> None:
        """Replace it whole. Raises Unwritable."""
        new = self._file.with_suffix(".new")
        try:
            with open_private(new) as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(held)).decode())
            os.replace(new, self._file)
        except OSError as error:
            raise Unwritable(say("file_unwritable", name=self._file, why=error)) from None
