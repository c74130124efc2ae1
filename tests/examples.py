"""How many random examples a property gets. A run has the same ones each time, so that its verdict
is about the code; TANDEM_PROVE=N (`make prove`) draws N times as many, anew each time."""

import os

from hypothesis import settings

TIMES = int(os.environ.get("TANDEM_PROVE", "1"))


def examples(most: int) -> settings:
    """The settings of a property that is tried on `most` examples."""
    return settings(max_examples=most * TIMES)
