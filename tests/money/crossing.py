"""One order through the product's mappings and the simulators' arithmetic, and what came out as
documents."""

import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

from contracts import entities
from contracts.entities import Order
from contracts.messages import Link, Problem, Side
from runtime.problems import Unwritable
from services.chargebee_adapter import client as chargebee_client
from services.chargebee_adapter.order import canonical as chargebee_mapping
from services.chargebee_adapter.order import invoices as chargebee_invoices
from services.chargebee_adapter.order import writes as order_writes
from services.linker import findings as linker_findings
from services.linker.findings import Around
from services.linker.state import Policy
from services.poweroffice_adapter import bodies as go_bodies
from services.poweroffice_adapter.order import canonical as go_canonical
from services.poweroffice_adapter.order import writes as go_writes
from simulators.chargebee import imports, orders
from simulators.chargebee.calls import Call as SiteCall
from simulators.chargebee.errors import ApiError
from simulators.chargebee.params import nest
from simulators.chargebee.site import Actor, Site
from simulators.poweroffice import orders as go_orders
from simulators.poweroffice import sales, sending
from simulators.poweroffice.errors import Refusal as GoRefusal
from simulators.poweroffice.http import Call as GoCall
from simulators.poweroffice.http import Client
from simulators.poweroffice.settings import Settings
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_catalogue import ACCOUNT, CURRENCY, PRODUCT
from simulators.poweroffice.tables_contacts import CUSTOMER
from simulators.poweroffice.tables_sales import INVOICE, INVOICE_LINE
from tests.money.case import RATES, Case
from tests.money.oracle import PLACES, Amounts, Document, go_line, of_chargebee, of_go

OSLO = ZoneInfo("Europe/Oslo")
CUSTOMER_ID = 4_000_001
ACCOUNT_NOS = {25: 3000, 15: 3010, 12: 3020, 0: 3110}
PRODUCT_IDS = {rate: 6_100_000 + rate for rate in RATES}
ITEMS_BY_PRICE = {f"price-{rate}": f"item-{rate}" for rate in RATES} | {
    f"{rate}-{currency}": f"item-{rate}" for rate in RATES for currency in PLACES
}
FALLBACK_RATE, ROUND_OFF_RATE = 25, 0
ROUND_OFF_ID = str(PRODUCT_IDS[ROUND_OFF_RATE])
FALLBACK_ID = str(PRODUCT_IDS[FALLBACK_RATE])
HOW = order_writes.Import(
    is_paid=True, payment_method="other", order_status="delivered", zone=OSLO, now_s=4_200_000_000
)


@dataclass(frozen=True)
class Parts:
    """What is on trial, so that a copy with a fault can take the place of each."""

    chargebee: ModuleType = chargebee_mapping
    invoices: ModuleType = chargebee_invoices
    imports: ModuleType = order_writes
    go: ModuleType = go_writes
    go_reads: ModuleType = go_canonical
    go_sales: ModuleType = sales
    findings: ModuleType = linker_findings


@dataclass(frozen=True)
class Refusal:
    """`by` is the product, the vendor's simulator, or nobody where something broke."""

    by: str
    code: str
    words: str


@dataclass
class Crossing:
    """`source` is the document that was to cross, `made` the one that came out. `seen_*` is what
    the product reads of either, `source_left_out` and `made_left_out` what a reading says is not in
    it. `ideal` holds the lines as the other vendor can show them at best; `computed` is what a
    simulator should have made of its input, by the oracle; `rates` are those of the lines of a Go
    order, by the names of Chargebee's, `rate_faults` what an invoice names otherwise; `findings`
    are the kinds about money that would stand on the link of both."""

    source: Document
    refusal: Refusal | None = None
    made: Document | None = None
    seen_source: Document | None = None
    seen_made: Document | None = None
    source_left_out: tuple[str, ...] = ()
    made_left_out: tuple[str, ...] = ()
    ideal: Mapping[str, Amounts] = field(default_factory=dict)
    computed: Mapping[str, Amounts] = field(default_factory=dict)
    rates: Mapping[str, Fraction] = field(default_factory=dict)
    rate_faults: list[str] = field(default_factory=list)
    findings: frozenset[str] = frozenset()


class _Refused(Exception):
    def __init__(self, by: str, code: str, words: str) -> None:
        super().__init__(words)
        self.refusal = Refusal(by, code, words)


def _problem(problem: Problem) -> _Refused:
    return _Refused("product", problem.code, f"{problem.field}: {problem.message}")


def _broken(error: Exception) -> Refusal:
    frames = traceback.extract_tb(error.__traceback__)
    return Refusal(
        "nobody", type(error).__name__, f"{error} in {frames[-1].name} ({frames[-1].filename})"
    )


def canonical(order: Order, keys: Iterable[str] | None = None) -> Document:
    """The product's reading as a document; `keys` names its lines where not their own ids do."""
    names = [line.id for line in order.lines] if keys is None else list(keys)
    lines = {
        name: Amounts(Fraction(line.net), Fraction(line.tax))
        for name, line in zip(names, order.lines, strict=True)
    }
    return Document(
        order.currency or "", lines, Fraction(order.net), Fraction(order.tax), Fraction(order.total)
    )


def _fractions(body: bytes) -> Any:
    return json.loads(body, parse_float=Fraction, parse_int=Fraction)


class Bench:
    """Both simulators with the products and accounts that the generated orders name."""

    def __init__(self, parts: Parts | None = None) -> None:
        self.parts = parts or Parts()
        self._used = 0
        self._fresh()

    def _fresh(self) -> None:
        self._used = 0
        self.go, self.site = _go(), _site()
        self._client = Client("tandem", "app", "client", "subscription")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """New vendors every so often, so that what is kept does not slow the next order down."""
        self._used += 1
        if self._used > 200:
            self._fresh()
        with (
            mock.patch.object(sales, "line_amounts", self.parts.go_sales.line_amounts),
            # The simulated site has not enabled every currency of the campaign.
            mock.patch.dict(imports._HEADER, {"currency_code": str}),
        ):
            yield

    # -- Chargebee to Go

    def to_go(self, case: Case) -> Crossing:
        """An order of Chargebee becomes a draft in Go."""
        crossing = Crossing(of_chargebee(case.raw, case.round_off))
        with self._turn():
            try:
                self._to_go(case, crossing)
            except _Refused as refused:
                crossing.refusal = refused.refusal
            except Exception as error:
                crossing.refusal = _broken(error)
        return crossing

    def _to_go(self, case: Case, crossing: Crossing) -> None:
        if "line_items" in case.raw:
            reading = _readable(
                self.parts.invoices.order(
                    case.raw,
                    items_by_price=ITEMS_BY_PRICE,
                    zone=OSLO,
                    carries_round_off=case.has_round_off_product,
                )
            )
        else:
            reading = self._read_order(case.raw, case.invoice, case.has_round_off_product)
        order = reading.entity
        crossing.seen_source, crossing.source_left_out = canonical(order), tuple(reading.incomplete)
        try:
            body = self._drafted(order, case.has_round_off_product)
        except Unwritable as unwritable:
            raise _problem(unwritable.problem) from None
        rates = {PRODUCT_IDS[rate]: Fraction(case.rates.get(rate, rate), 100) for rate in RATES}
        is_free = bool(case.customer.get("IsVatFree"))
        self._set_up(case)
        content = go_bodies.encoded(body)
        raw = self._posted(content)
        sent = {
            line["ExternalImportReference"]: line
            for line in _fractions(content)["SalesOrderLines"]
            if line["LineType"] == "Normal"
        }
        crossing.computed = {
            name: go_line(line, _rate(line, rates, is_free=is_free)) for name, line in sent.items()
        }
        crossing.ideal = _ideal_in_go(crossing.source, sent, rates)
        shown = _fractions(raw)
        crossing.made = of_go(
            shown, shown["SalesOrderLines"], line_types=("Normal",), key="ExternalImportReference"
        )
        read = self.parts.go_reads.sales_order(go_bodies.decoded(raw), currency="NOK")
        if isinstance(read.content, Problem):
            raise _problem(read.content)
        references = [
            line["ExternalImportReference"]
            for line in shown["SalesOrderLines"]
            if line["LineType"] == "Normal"
        ]
        crossing.seen_made, crossing.made_left_out = (
            canonical(read.content, references),
            tuple(read.incomplete),
        )
        crossing.findings = self._found(reading, read.content, tuple(read.incomplete))

    def _read_order(
        self, raw: Mapping[str, Any], invoice: Mapping[str, Any], carries_round_off: bool = False
    ) -> Any:
        return _readable(
            self.parts.chargebee.order(
                raw,
                items_by_price=ITEMS_BY_PRICE,
                po_number=None,
                zone=OSLO,
                invoice=invoice,
                carries_round_off=carries_round_off,
            )
        )

    def _drafted(self, order: Order, carries_round_off: bool) -> Mapping[str, Any]:
        """The body for the typed fields of a command, its ids those of Go."""
        lines = [
            {**line, "product_id": _product_in_go(line["product_id"])}
            for line in entities.wire(order)["lines"]
        ]
        wire = {name: value for name, value in entities.wire(order).items() if value is not None}
        fields = entities.typed_fields(
            "order", {**wire, "customer_id": str(CUSTOMER_ID), "lines": lines}
        )
        body: Mapping[str, Any] = self.parts.go.creation(
            fields,
            "cb-1042",
            invoiced_elsewhere=True,
            fallback_product_id=FALLBACK_ID,
            round_off_product_id=ROUND_OFF_ID if carries_round_off else None,
        )
        return body

    def _posted(self, content: bytes) -> bytes:
        call = GoCall(
            self._client,
            frozenset(),
            {},
            {},
            content,
            "application/json",
            "http://localhost/v2/SalesOrders",
        )
        try:
            reply = go_orders.create_complete(self.go, call)
        except GoRefusal as error:
            raise _Refused("Go", type(error).__name__, str(getattr(error, "body", error))) from None
        self.go.orders.remove(reply.body["Id"])
        return json.dumps(reply.body).encode()

    def _set_up(self, case: Case) -> None:
        customer = {"Id": CUSTOMER_ID, "Number": 10_001, "Name": "Kari AS", **case.customer}
        self.go.customers.put(CUSTOMER_ID, CUSTOMER.blank() | customer)
        for rate, id in PRODUCT_IDS.items():
            account = self.go.accounts.find("AccountNo", ACCOUNT_NOS[case.rates.get(rate, rate)])
            assert account is not None
            self.go.products.put(id, _product(rate, account["Id"], self.go))

    def _found(self, ours: Any, theirs: Order, left_out: tuple[str, ...]) -> frozenset[str]:
        """The kinds of findings about money on the link of a reading of Chargebee and an order of
        Go."""
        link = Link(
            tenant="acme",
            entity="order",
            key=ours.id,
            chargebee=_side(ours.id, ours.entity, tuple(ours.incomplete), stamp=ours.stamp),
            poweroffice=_side("f0e1", theirs, left_out),
        )
        kinds = {each.kind for each in self.parts.findings.findings_of(Policy(), link, Around())}
        return frozenset(kinds & {"money_differs", "vat_differs", "dropped"})

    # -- Go to Chargebee

    def to_chargebee(self, case: Case) -> Crossing:
        """An order that Go has sent becomes an imported invoice with its order."""
        with self._turn():
            header, lines = self._sent(case)
            shown, shown_lines = _fractions(header), _fractions(lines)
            crossing = Crossing(
                of_go(shown, shown_lines, line_types=("Normal", "InvoiceFee"), key="Id")
            )
            entered = [
                line
                for line in _fractions(json.dumps(case.raw["SalesOrderLines"]).encode())
                if line["LineType"] != "Text"
            ]
            made = [line for line in shown_lines if line["LineType"] != "Text"]
            pairs = list(zip(made, entered[len(entered) - len(made) :], strict=True))
            crossing.computed = {
                str(line["Id"]): go_line(asked, _rate_entered(asked)) for line, asked in pairs
            }
            crossing.rates = {f"go-{line['Id']}": _rate_entered(asked) for line, asked in pairs}
            try:
                self._to_chargebee(header, lines, crossing)
            except _Refused as refused:
                crossing.refusal = refused.refusal
            except Exception as error:
                crossing.refusal = _broken(error)
        return crossing

    def _sent(self, case: Case) -> tuple[bytes, bytes]:
        """The outgoing invoice that Go makes of a draft, and its lines."""
        self._set_up(case)
        given = [
            {
                **line,
                **(
                    {"ProductId": PRODUCT_IDS[int(line["ProductId"][8:])]}
                    if "ProductId" in line
                    else {}
                ),
            }
            for line in case.raw["SalesOrderLines"]
        ]
        draft = {**case.raw, "CustomerId": CUSTOMER_ID, "SalesOrderLines": given}
        call = GoCall(
            self._client,
            frozenset(),
            {},
            {},
            json.dumps(draft).encode(),
            "application/json",
            "http://localhost",
        )
        id = go_orders.create_complete(self.go, call).body["Id"]
        order = self.go.orders.get(id)
        assert order is not None
        request = {"VoucherDate": None, "OverrideDueDate": None, "DeliveryType": "Auto"}
        sent = sending.invoice_from(
            self.go, order, request, "app", "2026-06-02T10:00:00.0000000+00:00"
        )
        self.go.invoices.remove(id)
        header, lines = INVOICE.dto(sent), [INVOICE_LINE.dto(line) for line in sent["Lines"]]
        for name, off in case.invoice.items():
            if name == "drop line":
                lines = lines[1:]
            else:
                header[name] = float(sales.exact(header[name]) + sales.exact(float(off)))
        return json.dumps(header).encode(), json.dumps(lines).encode()

    def _to_chargebee(self, header: bytes, lines: bytes, crossing: Crossing) -> None:
        read = self.parts.go_reads.outgoing_invoice(
            go_bodies.decoded(header), go_bodies.decoded(lines), currency="NOK", zone=OSLO
        )
        if isinstance(read.content, Problem):
            raise _problem(read.content)
        order = read.content
        crossing.seen_source, crossing.source_left_out = canonical(order), tuple(read.incomplete)
        wire = entities.wire(order)
        wire["lines"] = [
            {**line, "product_id": _item_of(line["product_id"])} for line in wire["lines"]
        ]
        order = Order(**entities.typed_fields("order", {**wire, "customer_id": "kari"}))
        try:
            self.parts.imports.check(order)
        except Unwritable as unwritable:
            raise _problem(unwritable.problem) from None
        prices = {
            f"item-{rate}": order_writes.ChargePrice(f"{rate}-{order.currency}", None)
            for rate in RATES
        }
        params = self.parts.imports.invoice("go-1", order, prices, HOW)
        places = PLACES[crossing.source.currency]
        crossing.ideal = {
            f"go-{name}": Amounts(_nearest(line.net, places), _nearest(line.tax, places))
            for name, line in crossing.source.lines.items()
        }
        invoice, raw = self._imported(params, order)
        crossing.made = of_chargebee(invoice)
        crossing.rate_faults = list(_wrong_rates(invoice, crossing.rates, places))
        ids = {line["id"]: line["invoice_line_item_id"] for line in raw["order_line_items"]}
        reading = self._read_order(raw, invoice)
        keys = [ids.get(line.id, line.id) for line in reading.entity.lines]
        crossing.seen_made, crossing.made_left_out = (
            canonical(reading.entity, keys),
            tuple(reading.incomplete),
        )
        crossing.findings = self._found(reading, read.content, crossing.source_left_out)

    def _imported(
        self, params: Mapping[str, Any], order: Order
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The invoice and its order as Chargebee shows them."""
        actor = Actor(is_event_muted=True)
        try:
            call = SiteCall(self.site, nest(chargebee_client.form(params)), (), actor)
            invoice = imports.import_invoice(call)["invoice"]
            wanted = nest(
                chargebee_client.form(self.parts.imports.imported_order("go-1", order, HOW))
            )
            raw = orders.import_order(SiteCall(self.site, wanted, (), actor))["order"]
        except ApiError as error:
            raise _Refused("Chargebee", type(error).__name__, str(error)) from None
        finally:
            self.site = _site()
        return json.loads(json.dumps(invoice)), json.loads(json.dumps(raw))


def _readable(reading: Any) -> Any:
    if reading.problem is not None:
        raise _problem(reading.problem)
    return reading


def _side(id: str, order: Order, left_out: tuple[str, ...], stamp: str | None = None) -> Side:
    return Side(id=id, version="1", seen=entities.wire(order), incomplete=left_out, stamp=stamp)


def _product_in_go(item_id: str | None) -> str | None:
    return None if item_id is None else str(PRODUCT_IDS[int(item_id[5:])])


def _item_of(product_id: str | None) -> str | None:
    return None if product_id is None else f"item-{int(product_id) - 6_100_000}"


def _rate(
    line: Mapping[str, Any], rates: Mapping[int, Fraction], *, is_free: bool = False
) -> Fraction:
    """VAT of a posted line: that of the product's account, none on the account for sales without
    it, which the customer decides on (`is_free`) where the line does not say."""
    is_standard = line.get("UseStandardSalesAccount", not is_free)
    return rates[int(line["ProductId"])] if is_standard else Fraction(0)


def _rate_entered(line: Mapping[str, Any]) -> Fraction:
    """VAT of a line that a person entered."""
    return (
        Fraction(0)
        if line.get("UseStandardSalesAccount") is False
        else Fraction(int(line["ProductId"][8:]), 100)
    )


def _ideal_in_go(
    source: Document, sent: Mapping[str, Any], rates: Mapping[int, Fraction]
) -> dict[str, Amounts]:
    """The exact net of each line, with the VAT that Go computes on it; none where Chargebee has
    none."""
    whole = {"Quantity": Fraction(1), "Allowance": Fraction(0)}
    rate_of = {
        name: rates[int(line["ProductId"])] if source.lines[name].tax else Fraction(0)
        for name, line in sent.items()
        if name in source.lines
    }
    return {
        name: go_line({**whole, "ProductUnitPrice": source.lines[name].net}, rate)
        for name, rate in rate_of.items()
    }


def _wrong_rates(
    invoice: Mapping[str, Any], rates: Mapping[str, Fraction], places: int
) -> Iterator[str]:
    """The lines of an imported invoice whose VAT rate is not that of Go. Small amounts do not tell
    their rate."""
    for line in invoice["line_items"]:
        named, rate = (
            Fraction(str(line.get("tax_rate") or 0)),
            rates.get(line["id"], Fraction(0)) * 100,
        )
        if named != rate and line["amount"] >= 1000 * 10 ** min(places, 1):
            yield f"{named} instead of {rate} on line {line['id']}"


def _nearest(value: Fraction, places: int) -> Fraction:
    scale = 10**places
    whole = (abs(value) * scale + Fraction(1, 2)).__floor__()
    return Fraction(whole if value >= 0 else -whole, scale)


def _go() -> Go:
    go = Go(Settings())
    low = ACCOUNT.blank() | {"Id": 7_900_000, "AccountNo": 3020, "Name": "Lav sats", "VatCodeId": 5}
    go.accounts.put(low["Id"], low)
    held = {each["Code"] for each in go.currencies}
    go.currencies += [
        CURRENCY.blank() | {"Code": code, "IsActive": True} for code in PLACES if code not in held
    ]
    return go


def _product(rate: int, account_id: int, go: Go) -> dict[str, Any]:
    without = go.accounts.find("AccountNo", 3100)
    assert without is not None
    return PRODUCT.blank() | {
        "Id": PRODUCT_IDS[rate],
        "Code": f"product-{rate}",
        "Name": f"Vare {rate} %",
        "StandardSalesAccountId": account_id,
        "OptionalSalesAccountId": without["Id"],
    }


def _site() -> Site:
    site = Site()
    site.put("customer", {"id": "kari", "net_term_days": 14, "deleted": False})
    for rate in RATES:
        site.put("item", {"id": f"item-{rate}", "is_shippable": True, "status": "active"})
        for currency in PLACES:
            site.put(
                "item_price",
                {
                    "id": f"{rate}-{currency}",
                    "item_id": f"item-{rate}",
                    "item_type": "charge",
                    "currency_code": currency,
                    "status": "active",
                },
            )
    return site
