from datetime import UTC, date, datetime, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.case.money import MoneyError, minor_units, show_amount
from workflow.policy.calendars import WorkingCalendar
from workflow.policy.durations import Duration
from workflow.policy.policy import PolicyError, read_policy

CHINA = WorkingCalendar()
DISAGREE = {date(2005, 12, 31)}
"""The one day on which the two libraries differ."""


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-01-20", "2025-02-14"),
        ("2025-09-25", "2025-10-22"),
        ("2025-03-03", "2025-03-24"),
        ("2026-02-05", "2026-03-04"),
        ("2026-09-18", "2026-10-15"),
        ("2026-09-28", "2026-10-23"),
    ],
)
def test_fifteen_working_days_end_where_the_worked_examples_say(start, end):
    begun = datetime.combine(date.fromisoformat(start), datetime.min.time(), CHINA.zone) + timedelta(hours=13)
    deadline = CHINA.deadline(begun, 15).astimezone(CHINA.zone)
    assert deadline.date() == date.fromisoformat(end) + timedelta(days=1)
    assert (deadline.hour, deadline.minute) == (0, 0)


def test_every_day_is_worked_as_the_chinese_calendar_says():
    day, last = date(2004, 1, 1), date(2026, 12, 31)
    while day <= last:
        if day not in DISAGREE:
            assert CHINA.is_working_day(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


@given(st.dates(date(2004, 1, 1), date(2025, 6, 1)), st.integers(1, 60))
def test_a_deadline_leaves_exactly_that_many_working_days(start, count):
    begun = datetime.combine(start, datetime.min.time(), CHINA.zone)
    end = CHINA.deadline(begun, count).astimezone(CHINA.zone).date()
    days = [start + timedelta(days=n) for n in range(1, (end - start).days)]
    assert sum(map(CHINA.is_working_day, days)) == count
    assert CHINA.is_working_day(end - timedelta(days=1))


def test_own_closures_and_extra_days_count():
    own = WorkingCalendar(closures=[date(2025, 3, 4)], extra_working_days=[date(2025, 3, 8)])
    assert not own.is_working_day(date(2025, 3, 4))
    assert own.is_working_day(date(2025, 3, 8))


def test_a_year_that_is_not_announced_is_provisional_and_a_place_without_make_up_days_never_is():
    start, end = datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 20, tzinfo=UTC)
    assert CHINA.is_provisional(start, end)
    assert not CHINA.is_provisional(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert not WorkingCalendar("US", "America/New_York").is_provisional(start, end)


def test_a_calendar_that_contradicts_itself_or_is_unknown_is_refused():
    with pytest.raises(ValueError, match="both a closure and an extra"):
        WorkingCalendar(closures=[date(2025, 3, 4)], extra_working_days=[date(2025, 3, 4)])
    with pytest.raises(ValueError, match="no holiday calendar"):
        WorkingCalendar("XX")


@pytest.mark.parametrize(("text", "hours"), [("2d", 48), ("36h", 36), ("30m", 0.5)])
def test_durations_are_what_they_say(text, hours):
    start = datetime(2025, 3, 30, tzinfo=UTC)
    assert Duration.parse(text).after(start, CHINA) - start == timedelta(hours=hours)
    assert str(Duration.parse(text)) == text


def test_what_is_not_a_duration_is_refused():
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse("2 days")
    with pytest.raises(ValueError, match="no fixed length"):
        Duration.parse("3wd").span()


@given(st.integers(0, 10**12), st.sampled_from(["JPY", "CNY", "KWD"]))
def test_amounts_survive_being_written_and_read(minor, currency):
    assert minor_units(show_amount(minor, currency).split()[0], currency) == minor


@pytest.mark.parametrize(
    "text", ["1,50", "-1", "1e400", "NaN", "0.30000000000000004", "１２", "1.234", "12345678901234.999999999999999", "9" * 16]
)
def test_what_is_not_an_amount_is_refused(text):
    with pytest.raises(MoneyError):
        minor_units(text, "CNY")


def test_a_sum_that_no_database_holds_is_refused():
    with pytest.raises(MoneyError, match="more than can be kept"):
        minor_units("999999999999999", "CLF")
    assert minor_units("1.2300", "CLF") == 12_300


def test_currencies_that_do_not_exist_or_buy_nothing_are_refused():
    with pytest.raises(MoneyError, match="not an ISO 4217"):
        minor_units("1", "XXQ")
    with pytest.raises(MoneyError, match="goods are paid in"):
        minor_units("1", "XAU")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[overdue]\nurge_aftr = '2d'", "did you mean urge_after"),
        ("[overdu]\nx = 1", "did you mean overdue"),
        ("[overdue]\nurge_after = 'soon'", "is not a duration"),
        ("[transit]\nstall_every = '3wd'", "no fixed length"),
        ("[money]\nchase_refund_at = ['20wd', '15wd']", "rising durations"),
        ("[orders]\ncurrency = 'QQQ'", "ISO 4217"),
        ("[effects.modes]\nurge_suplier = 'ask'", "did you mean urge_supplier"),
        ("[effects.channels]\nshout = ['log']", "is not a kind of effect"),
        ("[calendar]\ntime_zone = 'Mars/Base'", "calendar"),
        ("[calendar]\ncountry = 'XX'", "no holiday calendar"),
        ("[transit]\nstall_every = '0d'", "would never end"),
        ("[effects]\ndefault_channels = []", "at least 1 item"),
        ("[effects.channels]\nescalate = []", "at least 1 item"),
        ('[contacts]\nmerchant = "a@b.example\\nBcc: x@y.example"', "is not an email address"),
        ("[effects]\ndefault_channels = ['log', 'log']", "name each channel once"),
        ("= 3", "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_line_that_is_wrong(text, words):
    with pytest.raises(PolicyError, match=words.replace("(", r"\(")):
        read_policy(text)


def test_a_policy_names_modes_and_channels():
    policy = read_policy("[effects]\ndefault_channels = ['file']\n[effects.modes]\nescalate = 'off'\n")
    assert policy.mode("escalate") == "off"
    assert policy.mode("place_supply") == "auto"
    assert policy.channels("escalate") == ("file",)


def test_deadlines_are_final_until_the_first_year_that_is_not_announced_begins_at_the_place():
    assert CHINA.announced_until(datetime(2026, 11, 26, tzinfo=UTC)) == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert CHINA.announced_until(datetime(2024, 2, 1, tzinfo=UTC)) == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert CHINA.announced_until(datetime(2026, 12, 31, 17, tzinfo=UTC)) == datetime(2026, 12, 31, 16, tzinfo=UTC)


def test_a_place_without_make_up_days_is_announced_for_good():
    assert WorkingCalendar("US", "America/New_York").announced_until(datetime(2026, 5, 1, tzinfo=UTC)).year == 9998


def test_a_span_counts_as_it_lies_in_the_place():
    assert not CHINA.is_provisional(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 31, 15, tzinfo=UTC))
    assert CHINA.is_provisional(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC))
    assert CHINA.is_provisional(datetime(2026, 12, 31, 16, tzinfo=UTC), datetime(2026, 12, 31, 17, tzinfo=UTC))
    assert not CHINA.is_deadline_provisional(datetime(2026, 12, 1, tzinfo=UTC), 15)
    assert CHINA.is_deadline_provisional(datetime(2026, 12, 1, tzinfo=UTC), 30)


def test_a_deadline_is_the_same_for_all_instants_of_a_day_of_the_place():
    assert CHINA.deadline(datetime(2025, 3, 3, 15, 59, tzinfo=UTC), 1) == datetime(2025, 3, 4, 16, tzinfo=UTC)
    assert CHINA.deadline(datetime(2025, 3, 3, 16, 0, tzinfo=UTC), 1) == datetime(2025, 3, 5, 16, tzinfo=UTC)
    assert CHINA.deadline(datetime(2025, 3, 3, 16, 0, tzinfo=UTC), 0) == datetime(2025, 3, 4, 16, tzinfo=UTC)


def test_what_is_left_of_a_duration_after_a_shorter_one_has_its_unit():
    assert Duration(20, "wd").minus(Duration(15, "wd")) == Duration(5, "wd")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,50", "'1,50' is not an amount: write digits with a point, such as 12.50"),
        ("1" * 50, f"'{'1' * 40}' is not an amount: write digits with a point, such as 12.50"),
        ("1.234", "1.234 has more decimals than CNY (2)"),
        (f"1.{'2' * 30}", f"1.{'2' * 30} has more decimals than CNY (2)"),
        (
            "9.0000000000000000000000000000001",
            "'9.0000000000000000000000000000001' is not an amount: write digits with a point, such as 12.50",
        ),
    ],
)
def test_an_amount_is_refused_in_words_that_name_it(text, said):
    with pytest.raises(MoneyError) as caught:
        minor_units(text, "CNY")
    assert str(caught.value) == said


def test_amounts_have_the_decimals_of_their_currency():
    assert (minor_units("7", "JPY"), minor_units("7", "CNY"), minor_units("7", "KWD")) == (7, 700, 7_000)
    assert (show_amount(1250, "CNY"), show_amount(700, "JPY"), show_amount(5, "KWD")) == ("12.50 CNY", "700 JPY", "0.005 KWD")
    assert minor_units("12.500000", "CNY") == 1_250


def test_the_largest_sum_that_is_kept_fits_in_63_bits():
    assert minor_units("92233720368547.75", "CNY") == 9_223_372_036_854_775
    with pytest.raises(MoneyError, match="999999999999999 CLF is more than can be kept"):
        minor_units("999999999999999", "CLF")


def test_the_largest_sum_that_is_kept_is_read_and_one_more_is_refused_in_words():
    assert minor_units("922337203685477.5807", "CLF") == 2**63 - 1
    with pytest.raises(MoneyError) as caught:
        minor_units(f"922337203685477.5808{'0' * 25}", "CLF")
    assert str(caught.value) == f"922337203685477.5808{'0' * 20} CLF is more than can be kept"
    with pytest.raises(MoneyError) as caught:
        minor_units(f"123456789012345.{'1' * 30}", "CNY")
    assert str(caught.value) == f"123456789012345.{'1' * 24} has more decimals than CNY (2)"


def test_a_year_begins_where_the_place_is():
    begins = datetime(2000, 12, 31, 16, tzinfo=UTC)
    assert not CHINA.is_provisional(begins, datetime(2001, 2, 1, tzinfo=UTC))
    assert CHINA.is_provisional(begins - timedelta(seconds=1), datetime(2001, 2, 1, tzinfo=UTC))
