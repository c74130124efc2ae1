"""What decoding a message raises."""

import msgspec

# msgspec's own, bytes that are no UTF-8, and brackets without end.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
