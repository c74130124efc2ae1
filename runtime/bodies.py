"""The body of a vendor's answer, read whole and within a size, also where a small one unpacks to a
large one."""

import zlib

import httpx

MAX_BODY_BYTES = (
    128 * 1024 * 1024
)  # of an unpacked body; Go's largest page, 20 000 rows, has some 40 MB
ACCEPTED = "gzip, deflate"  # what Accept-Encoding asks for
_ZLIB_HEADER, _GZIP_HEADER = zlib.MAX_WBITS, zlib.MAX_WBITS | 16
_DEFLATED = 8  # the method in the low half of a zlib stream's first byte (RFC 1950)


class UnreadableBody(Exception):
    """The body cannot be used; the text says why."""


async def body_of(answer: httpx.Response, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The unpacked body of an answer that is being streamed. Raises UnreadableBody, and what httpx
    raises."""
    if answer.is_stream_consumed:
        return answer.content
    packing, body = _Packing(answer.headers.get("content-encoding", "")), bytearray()
    async for chunk in answer.aiter_raw():
        # One byte more than there is room for tells a body that is too large.
        body += packing.unpack(chunk, max_bytes - len(body) + 1)
        if len(body) > max_bytes:
            raise UnreadableBody(f"the body is larger than {max_bytes} bytes")
    packing.end()
    return bytes(body)


class _Packing:
    """One Content-Encoding of RFC 9110; what follows the end of the packed stream is left aside."""

    def __init__(self, name: str) -> None:
        self._name, self._stream, self._begun = (
            name.strip().lower(),
            zlib.decompressobj(_GZIP_HEADER),
            False,
        )
        if self._name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise UnreadableBody(
                f"its Content-Encoding is {name[:60]!r}; only {ACCEPTED} is asked for"
            )

    @property
    def _plain(self) -> bool:
        return self._name in ("", "identity")

    def unpack(self, data: bytes, most: int) -> bytes:
        """At most `most` bytes, which is at least 1."""
        if self._plain or not data:
            return data
        if not self._begun and self._name == "deflate":
            # Some servers leave out the header that belongs to it.
            self._stream = zlib.decompressobj(
                _ZLIB_HEADER if data[0] & 0xF == _DEFLATED else -zlib.MAX_WBITS
            )
        self._begun = True
        try:
            return b"" if self._stream.eof else self._stream.decompress(data, most)
        except zlib.error as error:
            raise UnreadableBody(
                f"its Content-Encoding says {self._name}, and the body is none ({error})"
            ) from error

    def end(self) -> None:
        """The body has ended. Raises UnreadableBody where the packed stream has not."""
        if not self._plain and self._begun and not self._stream.eof:
            raise UnreadableBody(f"the body ends before its {self._name} stream does")
