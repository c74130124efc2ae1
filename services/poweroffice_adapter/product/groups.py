"""Codes of Go's product groups by id, since a product names its group by id."""

from collections.abc import Mapping

from runtime.rate_limiter import READ
from services.poweroffice_adapter.client import PowerOfficeClient, Row
from services.poweroffice_adapter.mapping import value_at


class ProductGroups:
    """Read once with GET /ProductGroups, and again when a product names a group that is not
    known."""

    def __init__(self, client: PowerOfficeClient) -> None:
        self._client = client
        self._codes: dict[str, str] | None = None
        self._unknown: set[str] = set()

    async def codes(self, product: Row) -> Mapping[str, str]:
        """The codes by id, with that of this product's group where it has one."""
        group_id = value_at(product, ("ProductGroupId",))
        wanted = None if group_id is None else str(group_id)
        if self._codes is None or (
            wanted and wanted not in self._codes and wanted not in self._unknown
        ):
            self._codes = await self._read()
            if wanted and wanted not in self._codes:
                self._unknown.add(wanted)
        return self._codes

    def forget(self) -> None:
        """Read anew at the next product."""
        self._codes = None
        self._unknown.clear()

    async def _read(self) -> dict[str, str]:
        codes: dict[str, str] = {}
        async for _, rows in self._client.pages("/ProductGroups", start=lambda: 0, priority=READ):
            for row in rows:
                if (code := value_at(row, ("Code",))) is not None:
                    codes[str(value_at(row, ("Id",)))] = str(code)
        return codes
