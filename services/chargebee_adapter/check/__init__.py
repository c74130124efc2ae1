"""What has to be right at a Chargebee site before the first start."""

from services.chargebee_adapter.check.site import check

__all__ = ["check"]
