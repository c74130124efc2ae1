"""Text of strangers made harmless: for a terminal, and cut to a length."""

import re

# Control characters of ASCII and of Latin-1 (U+009B begins an escape sequence as ESC [ does), what
# turns the direction of writing, what breaks a line or is not seen at all, and halves of surrogate
# pairs, which cannot be written. The joiners U+200C and U+200D belong to names in Persian and Hindi
# and stay.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def harmless(text: str, *, keep: str = "") -> str:
    """The text with every character that a terminal would act on written out, such as `\\x1b` for
    ESC, so that it stays on its line and says what it holds. Characters of `keep` stay as they
    are."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else _written(found[0]), text)


def _written(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def cut(text: str, most: int) -> str:
    """The text, of one that is longer than `most` characters the beginning and how many there
    are."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def shortened(text: str, most: int) -> str:
    """The text, of one that is longer than `most` characters the beginning with an ellipsis."""
    return text if len(text) <= most else f"{text[:most]}…"


def printable(text: str) -> str:
    """The text with U+FFFD for every character that cannot be printed."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
