"""Dates between Chargebee's UTC seconds and Go's local dates: none moves, whatever the hour or the
season."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.chargebee_adapter.order.canonical import local_date, noon
from services.poweroffice_adapter import mapping as go
from services.poweroffice_adapter.order.canonical import sent_date
from tests.examples import examples

OSLO = ZoneInfo("Europe/Oslo")
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)
many = examples(200)


def last_sunday(year: int, month: int) -> date:
    day = date(year, month, 31)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def oslo_date(seconds: int) -> date:
    """The date on a clock in Oslo by the rule of the EU: summer time from the last Sunday of March,
    01:00 UTC, to that of October. Written out here, so that it does not come from the table under
    test."""
    moment = datetime.fromtimestamp(seconds, UTC)
    begins, ends = (
        datetime(moment.year, month, last_sunday(moment.year, month).day, 1, tzinfo=UTC)
        for month in (3, 10)
    )
    return (moment + timedelta(hours=2 if begins <= moment < ends else 1)).date()


def seconds() -> st.SearchStrategy[int]:
    """UTC seconds of this century, with more of those around midnight in Oslo."""
    first, last = (
        int(datetime(each.year, each.month, each.day, tzinfo=UTC).timestamp())
        for each in (FIRST, LAST)
    )
    around = st.integers(first // 86_400, last // 86_400).flatmap(
        lambda day: st.sampled_from((-7201, -7200, -7199, -3601, -3600, -3599, -1, 0, 3600)).map(
            lambda off: day * 86_400 + off
        )
    )
    return st.integers(first, last) | around


def test_every_date_of_the_century_survives_noon_in_oslo() -> None:
    day = FIRST
    while day <= LAST:
        moment = noon(day, OSLO)
        assert local_date(moment, OSLO) == day == oslo_date(moment)
        # The same date also for a reader in UTC or an hour or two away.
        assert local_date(moment, ZoneInfo("UTC")) == day
        day += timedelta(days=1)


@many
@given(seconds())
def test_a_moment_of_chargebee_has_the_date_of_a_clock_in_oslo(moment: int) -> None:
    assert local_date(moment, OSLO) == oslo_date(moment)


@many
@given(seconds(), st.integers(-14 * 60, 14 * 60))
def test_a_moment_of_go_has_the_date_of_a_clock_in_oslo(moment: int, offset_minutes: int) -> None:
    sign, size = "-" if offset_minutes < 0 else "+", abs(offset_minutes)
    there = datetime.fromtimestamp(moment + offset_minutes * 60, UTC)
    written = f"{there:%Y-%m-%dT%H:%M:%S}.1234567{sign}{size // 60:02d}:{size % 60:02d}"
    assert sent_date(written, OSLO) == oslo_date(moment)
    assert (
        go.timestamp(written) == f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}.1234567Z"
    )


@many
@given(
    st.dates(FIRST, LAST),
    st.sampled_from(("", "T00:00:00", "T00:00:00Z", "T23:59:59+02:00", " 00:00:00")),
)
def test_a_date_of_go_ignores_its_time(day: date, rest: str) -> None:
    assert go.local_date(f"{day.isoformat()}{rest}") == day


@many
@given(
    st.one_of(
        st.none(), st.integers(), st.floats(), st.booleans(), st.text(), st.lists(st.integers())
    )
)
def test_no_value_of_a_date_raises(value: object) -> None:
    assert go.local_date(value) is None or isinstance(value, str)
    assert len(go.timestamp(value)) == len(go.NEVER)
