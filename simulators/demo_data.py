"""Deterministic Norwegian demo data, neutral of both vendors.

Four tuples are public: `CUSTOMERS` (120 parties), `PRODUCTS` (30), `ORDERS` (60) and `ORDERLESS` (7
invoices of Chargebee that have no order: nothing to ship, or unpaid). Every record has a `key`
(unique within its tuple; other records refer to it) and a `home`: the system or systems in which it
exists when the demo starts. Money is given twice where it helps: integer minor units (oere, cent)
and `Decimal` major units, always net of VAT. All moments are aware UTC datetimes in the past of the
demo (2025-02 to 2026-11).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

Home = Literal["chargebee", "poweroffice", "both"]
ProductKind = Literal["plan", "addon", "charge"]
OrderState = Literal["paid", "unpaid", "sent", "draft"]

ORGANISATION_NUMBER_WEIGHTS: Final = (3, 2, 7, 6, 5, 4, 3, 2)
SHARED_MAILBOX: Final = "post@regnskapskontoret.no"


@dataclass(frozen=True, slots=True)
class DemoAddress:
    """A postal address; `zip_code` is four digits as text (a leading zero is significant)."""

    line1: str
    zip_code: str
    city: str
    country_code: str = "NO"


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A person (`first_name`, `last_name`) or a company (`company`, `organisation_number`).

    `chargebee_id` is set when the party is in Chargebee, `poweroffice_number` when it is in
    PowerOffice Go. `poweroffice_phone` replaces `phone` there; None means the two agree.
    """

    key: str
    home: Home
    first_name: str | None
    last_name: str | None
    company: str | None
    organisation_number: str | None
    email: str | None
    phone: str | None
    address: DemoAddress | None
    tax_exempt: bool
    created_at: datetime
    changed_at: datetime
    chargebee_id: str | None
    poweroffice_number: int | None
    poweroffice_phone: str | None = None

    @property
    def is_person(self) -> bool:
        return self.company is None

    @property
    def in_chargebee(self) -> bool:
        return self.home != "poweroffice"

    @property
    def in_poweroffice(self) -> bool:
        return self.home != "chargebee"


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """Something sold: in Chargebee an item with one price per currency, in Go a product.

    `price_minor` is NOK in oere, `price_net` the same in kroner, `euro_price_minor` cents or None.
    Plans and addons are priced per month. `poweroffice_code` is the Code in Go; for a pair matched
    by code it equals `chargebee_id`.
    """

    key: str
    home: Home
    kind: ProductKind
    name: str
    description: str
    group_key: str
    unit: str | None
    price_minor: int
    euro_price_minor: int | None
    is_shippable: bool
    created_at: datetime
    changed_at: datetime
    chargebee_id: str | None
    poweroffice_code: str | None

    @property
    def price_net(self) -> Decimal:
        return Decimal(self.price_minor).scaleb(-2)

    @property
    def in_chargebee(self) -> bool:
        return self.home != "poweroffice"

    @property
    def in_poweroffice(self) -> bool:
        return self.home != "chargebee"

    def chargebee_price_id(self, currency: str = "NOK") -> str:
        """Chargebee item price id such as `fjord-basis-NOK-monthly`; charges have no period in
        theirs."""
        period = "" if self.kind == "charge" else "-monthly"
        return f"{self.chargebee_id}-{currency}{period}"


@dataclass(frozen=True, slots=True)
class DemoLine:
    """One order line; Chargebee uses `discount_minor` (oere on the whole line), Go
    `discount_percent`."""

    product_key: str
    quantity: Decimal
    unit_price_minor: int
    discount_percent: Decimal = Decimal(0)
    discount_minor: int = 0


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """An order in NOK: `paid` is a settled Chargebee invoice, `sent` an outgoing Go invoice,
    `draft` an open Go order; `unpaid` is a Chargebee invoice that nobody has paid, and no order
    yet.

    `number` is the Chargebee order number or the Go sales order number; `invoice_number` is None
    for drafts; `is_settled` tells whether an invoice has been paid. A Chargebee order holds the
    shippable lines only, at least one; some of `ORDERS` have nothing else, in others a part is in
    no order.
    """

    key: str
    home: Home
    state: OrderState
    number: int
    invoice_number: int | None
    customer_key: str
    ordered_at: datetime
    delivery_on: date | None
    po_number: str | None
    is_settled: bool
    lines: tuple[DemoLine, ...]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_FIRST_NAMES: Final = _split(
    "Kari|Ola|Ingrid|Bjørn|Åse|Håkon|Sølvi|Øyvind|Anne|Lars|Nora|Emil|Sofie|Jakob|Ingeborg|Sindre|Maja|"
    "Henrik|Tuva|Magnus|Astrid|Eirik|Solveig|Torbjørn|Liv|Gunnar|Ragnhild|Pål|Hedda|Jørgen|Silje|Trond|"
    "Marit|Sverre|Vilde|Åge|Camilla|Geir|Ida|Kåre|Frøya|Vegard|Bente|Stian|Guro|Rune"
)
_LAST_NAMES: Final = _split(
    "Nordmann|Hansen|Johansen|Olsen|Larsen|Andersen|Pedersen|Nilsen|Kristiansen|Jensen|Karlsen|Bakken|"
    "Solberg|Haugen|Bøe|Ødegård|Strand|Lund|Moen|Dahl|Rønning|Sæther|Lie|Myhre|Hagen|Tveit|Aune|Berge|"
    "Fjeld|Skår|Næss|Bråthen|Sørensen|Viken|Eide|Løken|Gundersen|Aas|Rød|Hovland|Thorsen|Kvam|Nygård|"
    "Mæland|Foss|Hjelle|Sandvik"
)
_COMPANY_NAMES: Final = _split(
    "Fjordbygg AS|Nordlys Elektro AS|Vestkysten Sjømat AS|Lofoten Kajakk AS|Bryggen Bakeri AS|"
    "Hardanger Frukt AS|Østfold Rør AS|Tindekraft AS|Sørlandet Båt AS|Mjøsa Regnskap AS|Jæren "
    "Maskin AS|"
    "Dovre Tømrer AS|Blåfjell Data AS|Kystlinjen Transport AS|Røros Tre AS|Finnmark Reiseliv AS|"
    "Grønn Energi AS|Trøndersk Mat AS|Valdres Hytteservice AS|Svalbard Logistikk AS|"
    "Ålesund Skipsservice AS|Bergtatt Foto AS|Havblikk Hotell AS|Innlandet Bygg AS|Solsiden "
    "Kafé AS|"
    "Polarsirkelen Utstyr AS|Vågan Fiskeri AS|Storgata Optikk AS|Skogheim Gård AS|Kråkenes "
    "Design AS"
)
_PLACES: Final = _split(
    "0150 Oslo|0554 Oslo|5003 Bergen|7010 Trondheim|4006 Stavanger|9008 Tromsø|3015 Drammen|"
    "1607 Fredrikstad|4611 Kristiansand S|6003 Ålesund|8003 Bodø|2815 Gjøvik|2609 "
    "Lillehammer|3717 Skien|"
    "3110 Tønsberg|1530 Moss|5523 Haugesund|2317 Hamar|1706 Sarpsborg|4838 Arendal|9405 Harstad|"
    "8514 Narvik|9510 Alta|7713 Steinkjer|6413 Molde|3611 Kongsberg|2406 Elverum|9800 Vadsø|"
    "3210 Sandefjord|1767 Halden|0366 Oslo"
)
_STREETS: Final = _split(
    "Storgata|Kirkeveien|Strandgata|Bjørkeveien|Skolegata|Granliveien|Kongens "
    "gate|Fjellveien|Åsveien|"
    "Havnegata|Sjøgata|Lærdalsvegen|Nedre Torggate"
)
_MAIL_DOMAINS: Final = ("eksempel.no", "example.com", "eksempel.no", "example.org", "eksempel.no")
_START: Final = datetime(2025, 2, 3, 8, 15, tzinfo=UTC)
_FIRST_ORDER: Final = datetime(2026, 9, 1, 7, 5, tzinfo=UTC)

# key, home, kind, name, description, group, unit, price in oere, EUR cents, shippable, code in Go
_PRODUCT_ROWS: Final = """
fjord-basis|chargebee|plan|Fjord Basis|Regnskap for de minste|abonnement|month|29900||n|
fjord-pluss|both|plan|Fjord Pluss|Regnskap og fakturering|abonnement|month|59900|5490|n|fjord-pluss
fjord-proff|chargebee|plan|Fjord Proff|Alt i Pluss og prosjekt|abonnement|month|99900||n|
nettbutikk-start|chargebee|plan|Nettbutikk Start|Opptil 100 varer|abonnement|month|34900||n|
nettbutikk-vekst|chargebee|plan|Nettbutikk Vekst|Opptil 5000 varer|abonnement|month|89900||n|
lonn-basis|chargebee|plan|Lønn Basis|Lønn for inntil fem ansatte|abonnement|month|24900||n|
lonn-pluss|chargebee|plan|Lønn Pluss|Lønn og reiseregning|abonnement|month|44900||n|
arkiv-sky|both|plan|Arkiv i skyen|Bilag lagret i ti år|abonnement|month|9900||n|2010
ekstra-bruker|chargebee|addon|Ekstra bruker|En bruker til|tillegg|piece|7900||n|
prioritert-hjelp|chargebee|addon|Prioritert hjelp|Svar innen en time|tillegg||19900||n|
bank-kobling|chargebee|addon|Bankkobling|Daglig avstemming|tillegg|piece|4900||n|
ekstra-lager|chargebee|addon|Ekstra lager 100 GB|Mer plass til bilag|tillegg|piece|2900||n|
kortleser-bt2|both|charge|Kortleser BT2|Trådløs kortleser|varer|piece|69900||y|kortleser-bt2
kvitteringsskriver|both|charge|Kvitteringsskriver 80 mm|Termisk skriver|varer|piece|189900||y|3120
kvitteringsrull-10|chargebee|charge|Kvitteringsruller, 10 stk|80 mm papir|varer|piece|24950||y|
strekkodeleser|chargebee|charge|Strekkodeleser|USB, håndholdt|varer|piece|99900||y|
pengeskuff|chargebee|charge|Pengeskuff i stål|Med åtte myntrom|varer|piece|144900||y|
oppstartspakke|chargebee|charge|Oppstartspakke|Oppsett av konto og import|varer||250000||n|
kurs-halvdag|chargebee|charge|Kurs, halv dag|På nett, inntil ti deltakere|varer||390000||n|
radgivning-time|chargebee|charge|Rådgivning|Per påbegynt time|varer|hour|125000||n|
datakonvertering|chargebee|charge|Datakonvertering|Fra tidligere system|varer|hour|109500||n|
frakt-norgespakke|chargebee|charge|Frakt Norgespakke|Inntil 5 kg|varer||14900||n|
go-nettbrett|poweroffice|charge|Nettbrett 11 tommer|Til kassepunkt|varer|piece|459000||y|3201
go-stativ|poweroffice|charge|Bordstativ til nettbrett|Låsbart|varer|piece|79900||y|3202
go-ruter|poweroffice|charge|4G-ruter|Reserveline for betaling|varer|piece|129900||y|3203
go-etikettskriver|poweroffice|charge|Etikettskriver|Direkte termisk|varer|piece|219900||y|3204
go-etiketter|poweroffice|charge|Etiketter, rull à 500|58 x 40 mm|varer|piece|17950||y|3205
go-montering|poweroffice|charge|Montering på stedet|Per time, pluss reise|varer|hour|99500||n|3206
go-reise|poweroffice|charge|Reisetid|Per time|varer|hour|69500||n|3207
go-arsavslutning|poweroffice|charge|Bistand årsoppgjør|Fast pris|varer||1450000||n|3208
"""


def ascii_slug(text: str) -> str:
    """Lower-case ASCII with hyphens: `Åse Bøe` becomes `ase-boe`."""
    table = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "é": "e", " ": "-"})
    return "".join(
        c for c in text.lower().translate(table) if c.isascii() and (c.isalnum() or c == "-")
    )


def organisation_number(serial: int) -> str:
    """The first number from `serial` (eight digits, 8 or 9 first) on that has a valid mod 11 check
    digit."""
    while True:
        digits = [int(c) for c in str(serial)]
        rest = sum(w * d for w, d in zip(ORGANISATION_NUMBER_WEIGHTS, digits, strict=True)) % 11
        if rest != 1:
            return f"{serial}{(11 - rest) % 11}"
        serial += 1


def _customers() -> Iterator[DemoCustomer]:
    homes: list[tuple[Home, int]] = [("chargebee", 80), ("poweroffice", 25), ("both", 15)]
    company_rows = {*range(3, 80, 4), 81, 84, 87, 90, 93, 96, 99, 102, 110, 115}
    company_number = 0
    for row, home in enumerate(home for home, count in homes for _ in range(count)):
        is_company = row in company_rows
        yield _customer(row, home, company_number if is_company else None)
        company_number += is_company


def _customer(row: int, home: Home, company_row: int | None) -> DemoCustomer:
    first, last = _FIRST_NAMES[row * 5 % 46], _LAST_NAMES[row * 7 % 47]
    company = None if company_row is None else _COMPANY_NAMES[company_row]
    slug = ascii_slug(company.removesuffix(" AS") if company else f"{first} {last}")
    email = (
        f"post@{slug}.eksempel.no"
        if company
        else f"{slug.replace('-', '.')}@{_MAIL_DOMAINS[row % 5]}"
    )
    created_at = _START + timedelta(days=row * 4.5, minutes=row * 37 % 480)
    phone = f"+47 {'49'[row % 2]}{(row + 17) * 79_193 % 10_000_000:07d}"
    zip_code, city = _PLACES[row % len(_PLACES)].split(" ", 1)
    house = f"{row * 3 % 97 + 1}{'A' if row % 6 == 0 else ''}"
    address = DemoAddress(f"{_STREETS[row % 13]} {house}", zip_code, city)
    serial = 91_240_000 + (company_row or 0) * 25_317
    chargebee_id = str(1000 + row) if row % 5 == 2 else f"{slug[:40]}-{row}"
    return DemoCustomer(
        key=f"customer-{row:03d}",
        home=home,
        first_name=None if company else first,
        last_name=None if company else last,
        company=company,
        organisation_number=organisation_number(serial) if company else None,
        email=SHARED_MAILBOX if row in (7, 84) else None if row in (11, 34, 62, 87, 95) else email,
        phone=None if row in (20, 98) else phone,
        address=None if row in (5, 31, 58, 100) else address,
        tax_exempt=row in (15, 93),
        created_at=created_at,
        changed_at=created_at + timedelta(days=row % 9, minutes=row % 50),
        chargebee_id=None if home == "poweroffice" else chargebee_id,
        poweroffice_number=None if home == "chargebee" else 10_001 + row - 80,
        poweroffice_phone="+47 22334455" if row == 118 else None,
    )


def _products() -> Iterator[DemoProduct]:
    for row, text in enumerate(_PRODUCT_ROWS.strip().splitlines()):
        key, home, kind, name, description, group, unit, price, euro, shippable, code = text.split(
            "|"
        )
        created_at = _START + timedelta(days=row * 6, minutes=row * 11)
        yield DemoProduct(
            key=key,
            home=home,  # type: ignore[arg-type]
            kind=kind,  # type: ignore[arg-type]
            name=name,
            description=description,
            group_key=group,
            unit=unit or None,
            price_minor=int(price),
            euro_price_minor=int(euro) if euro else None,
            is_shippable=shippable == "y",
            created_at=created_at,
            changed_at=created_at + timedelta(days=row % 5, hours=1),
            chargebee_id=None if home == "poweroffice" else key,
            poweroffice_code=code or None,
        )


def _line(product: DemoProduct, quantity: Decimal, percent: int = 0) -> DemoLine:
    gross = product.price_minor * quantity
    discount = (gross * percent / 100).quantize(Decimal(1), ROUND_HALF_UP)
    return DemoLine(product.key, quantity, product.price_minor, Decimal(percent), int(discount))


def _chargebee_orders() -> Iterator[DemoOrder]:
    customers = [c for c in CUSTOMERS if c.in_chargebee]
    charges = [p for p in PRODUCTS if p.in_chargebee and p.kind == "charge"]
    shippable, other = charges[:5], charges[5:]
    for row in range(46):
        picks = [
            shippable[row % 5],
            other[row * 3 % 5],
            shippable[(row + 2) % 5],
            other[(row * 3 + 1) % 5],
        ]
        lines = [
            _line(p, Decimal((row + n) % 4 + 1), 10 if (row + n) % 9 == 4 else 0)
            for n, p in enumerate(picks[: row * 7 % 4 + 1])
        ]
        if row == 17:
            # A discount that no two-decimal percentage expresses.
            lines[0] = replace(
                lines[0], quantity=Decimal(3), discount_percent=Decimal(0), discount_minor=3_333
            )
        ordered_at = _FIRST_ORDER + timedelta(days=row * 80 // 45, minutes=row * 13 % 600)
        yield DemoOrder(
            key=f"chargebee-order-{row:02d}",
            home="chargebee",
            state="paid",
            number=row + 1,
            invoice_number=row + 1,
            customer_key=customers[row * 2 + 1].key,
            ordered_at=ordered_at,
            delivery_on=ordered_at.date() + timedelta(days=2),
            po_number=f"PO-{4400 + row * 3}" if row % 6 == 1 else None,
            is_settled=True,
            lines=tuple(lines),
        )


def _orderless() -> Iterator[DemoOrder]:
    """Four paid invoices of services, then three unpaid ones of goods."""
    customers = [c for c in CUSTOMERS if c.in_chargebee]
    charges = [p for p in PRODUCTS if p.in_chargebee and p.kind == "charge"]
    goods, services = charges[:5], charges[5:]
    for row in range(7):
        is_paid = row < 4
        number = 47 + row
        ordered_at = _FIRST_ORDER + timedelta(days=80, hours=12 + row)
        yield DemoOrder(
            key=f"chargebee-invoice-{number}",
            home="chargebee",
            state="paid" if is_paid else "unpaid",
            number=number,
            invoice_number=number,
            customer_key=customers[row * 5].key,
            ordered_at=ordered_at,
            delivery_on=None,
            po_number=None,
            is_settled=is_paid,
            lines=(_line((services if is_paid else goods)[row % 5], Decimal(row % 3 + 1)),),
        )


def _poweroffice_orders() -> Iterator[DemoOrder]:
    customers = [c for c in CUSTOMERS if c.in_poweroffice and c.address and c.email]
    charges = [p for p in PRODUCTS if p.in_poweroffice and p.kind == "charge"]
    for row in range(14):
        is_sent = row < 9
        # What is sent is of goods, for which Chargebee generates an order, or of services; drafts
        # are of both.
        products = [p for p in charges if not is_sent or p.is_shippable == (row not in (3, 6))]
        lines = [
            _line(
                products[(row * 3 + n * 2) % len(products)],
                Decimal((row + n) % 3 + 1),
                15 if (row + n) % 5 == 2 else 0,
            )
            for n in range(row % 3 + 1)
        ]
        if row == 6:
            hours = next(p for p in products if p.unit == "hour")
            lines[0] = _line(hours, Decimal("2.5"))
        ordered_at = _FIRST_ORDER + timedelta(days=3 + row * 5 + (0 if is_sent else 10), hours=2)
        yield DemoOrder(
            key=f"poweroffice-order-{row:02d}",
            home="poweroffice",
            state="sent" if is_sent else "draft",
            number=20_001 + row,
            invoice_number=50_001 + row if is_sent else None,
            customer_key=customers[row * 2].key,
            ordered_at=ordered_at,
            delivery_on=ordered_at.date() + timedelta(days=4) if row % 2 else None,
            po_number=f"BEST-{700 + row}" if row % 4 == 3 else None,
            is_settled=is_sent and row != 8,
            lines=tuple(lines),
        )


CUSTOMERS: Final = tuple(_customers())
PRODUCTS: Final = tuple(_products())
ORDERS: Final = (*_chargebee_orders(), *_poweroffice_orders())
ORDERLESS: Final = tuple(_orderless())
CUSTOMERS_BY_KEY: Final = {c.key: c for c in CUSTOMERS}
PRODUCTS_BY_KEY: Final = {p.key: p for p in PRODUCTS}
