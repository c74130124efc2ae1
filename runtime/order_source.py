"""Whether what a tenant's settings count as a sale in Chargebee is what the linker has pinned.

The linker judges a change (`services/linker/order_source.py`); until it has, nothing of the other
source may be published, since readings cannot be taken back.
"""

from contracts.facts import Identity, Stopped
from contracts.messages import ORDER_SOURCE
from runtime.control import ControlView


def refused(control: ControlView, tenant: str, wanted: str) -> str | None:
    """Why records of this source are not read now, in words; None where they are."""
    held = control.fact(tenant, Identity, ORDER_SOURCE)
    pinned = held.id if held is not None else None
    if pinned == wanted or (
        pinned is None and wanted == "orders"
    ):  # "orders" was all there was before it was pinned
        return None
    if (stopped := control.fact(tenant, Stopped, ORDER_SOURCE)) is not None:
        return stopped.words or "order.source is not known; tandem status says more"
    if pinned is None:
        return (
            f"order.source is {wanted}; it is read once the linker has pinned it, so start "
            f"the linker"
        )
    return (
        f"order.source is {wanted} here, and the linker goes on with {pinned}: restart the linker, "
        f"which says whether "
        "that can change, or restart this adapter with the settings of the linker"
    )
