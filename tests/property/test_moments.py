"""Moments: any text is a point in time, in UTC, or is refused."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from killick.errors import UsageError
from killick.moments import parse_moment, rfc3339

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@given(st.text(max_size=30) | st.text("0123456789-:T+Z. hdwsago", max_size=30))
def test_any_text_is_a_moment_or_is_refused(text):
    try:
        found = parse_moment(text, NOW)
    except UsageError:
        return
    assert found.utcoffset() == timedelta(0)


@given(
    st.datetimes(
        timezones=st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m))),
        min_value=datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(9999, 12, 29),  # noqa: DTZ001 - hypothesis adds the zone
    )
)
def test_what_is_written_is_read_again(moment):
    assert parse_moment(rfc3339(moment), NOW) == moment
    assert parse_moment(moment.isoformat(), NOW) == moment
