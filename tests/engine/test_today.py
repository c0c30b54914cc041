"""What needs a person today, most urgent first, and the money that is owed and lost."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from effects.channel import NotSent
from effects.letters import Letters
from engine.composing import Messenger
from engine.firing import fire_due
from engine.money import CAUSES, lost, outstanding
from engine.sending import deliver_due
from engine.today import today
from engine.views import Filter
from tests.factories import arrival, day, report, rules_of, take
from workflow.case.case import Report
from workflow.errors import UsageError
from workflow.process import ROWS
from workflow.vocabulary import ClaimKind

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
ASKING = rules_of(
    "[effects]\ndefault_channels = ['file']\n"
    "[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\nplace_reissue = 'ask'\n"
)
APPROVED = (
    *(report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged")),
    *(report("submit_evidence", 4), report("approve", 5)),
)
UTC = ZoneInfo("UTC")


class Refusing:
    """A channel that takes nothing."""

    def __init__(self, try_again: bool) -> None:
        self.error = NotSent("no such mailbox", try_again=try_again)

    def send(self, message):
        raise self.error


def said(database, at, rules=RULES, **options):
    return [(one.kind, one.order, one.what) for one in today(database, day(at), rules, UTC, **options).items]


def test_nothing_needs_anybody_in_a_new_shop(database):
    take(database, arrival("1"), rules=RULES)
    found = today(database, day(0), RULES, UTC)
    assert (found.items, found.has_more, found.provisional) == ([], False, 0)
    assert [(one.date, one.deadlines) for one in found.days] == [(day(2).replace(hour=0), {"urge": 1})]


def test_what_has_a_deadline_comes_first_then_what_is_about_more_money_then_what_is_older(database):
    choose = report("choose_refund", 6)
    take(database, arrival("1", report("report_no_stock", 4), paid=900), now=4, rules=ASKING)
    take(database, arrival("2", report("report_oversized", 5), paid=1_000), now=5, rules=ASKING)
    take(database, arrival("3", report("report_oversized", 5), paid=7_000), now=5, rules=ASKING)
    take(database, arrival("4", *APPROVED, choose, paid=500), now=6, rules=ASKING)
    take(database, arrival("5", report("confirm_interception", 5)), now=6, rules=ASKING)
    found = today(database, day(6), ASKING, UTC)
    assert [one.order for one in found.items] == ["main/4", "main/3", "main/2", "main/1", "main/5"]
    first, *_, last = found.items
    assert (first.kind, first.amount, first.currency, first.command) == ("decision", 500, "CNY", "aftersales decide main/4")
    assert first.until is not None
    assert (last.kind, "confirm_interception does not fit it" in last.what) == ("exception", True)


def test_a_claim_is_listed_in_the_last_week_of_its_time_and_once(database):
    take(database, arrival("1", *APPROVED, paid=900), now=5, rules=RULES)
    assert said(database, 6) == []
    found = today(database, day(22), RULES, UTC)
    assert [(one.kind, one.what, one.amount) for one in found.items] == [
        ("claim", "the time for claim 1 ends: no remedy is chosen", 900)
    ]
    asked = report("choose_refund", 21)
    take(database, arrival("1", asked, placing=False), now=22, rules=ASKING)
    assert [kind for kind, _, _ in said(database, 22, ASKING)] == ["decision"]


@pytest.mark.parametrize(
    ("try_again", "what"),
    [
        (False, "urge_supplier could not be sent: no such mailbox"),
        (True, "urge_supplier could not be sent so far, and is tried again: no such mailbox"),
    ],
)
def test_a_letter_that_cannot_be_sent_says_why(database, try_again, what):
    take(database, arrival("1"), rules=RULES)
    fire_due(database, day(2), RULES)
    deliver_due(database, day(2), RULES, Messenger({"file": Refusing(try_again)}, Letters()))
    assert said(database, 2) == [("letter", "main/1", what)]
    (one,) = today(database, day(2), RULES, UTC).items
    assert one.command == "aftersales effects show 1"


def test_a_flag_is_told_in_words_and_what_it_repeats_is_not(database):
    take(database, arrival("1", report("settle_refund", 1, amount=100), paid=900), now=1, rules=RULES)
    take(database, arrival("2", report("lose", 1)), now=1, rules=RULES)
    found = {order: (kind, what) for kind, order, what in said(database, 1)}
    assert found["main/1"] == ("flag", "money has come that was not asked for: see what it is for")
    assert found["main/2"][0] == "exception", "its flag says the same"


def test_one_shop_is_told_of_alone_whatever_the_case_of_its_name(database):
    take(database, arrival("1", report("lose", 1)), arrival("2", report("lose", 1), shop="other"), now=1, rules=RULES)
    assert [order for _, order, _ in said(database, 1, shops=("OTHER",))] == ["other/2"]
    with pytest.raises(UsageError, match="no order has the shop 'othr'; did you mean other"):
        today(database, day(1), RULES, UTC, ("othr",))


def test_a_command_can_be_copied_into_a_shell_whatever_the_shop_is_called(database):
    take(database, arrival("1", report("settle_refund", 1, amount=1), shop="Tmall Berlin", paid=9), now=1, rules=RULES)
    (one,) = today(database, day(1), RULES, UTC).items
    assert one.command == """aftersales resolve 'Tmall Berlin/1' --flag money_unasked "…\""""


def test_a_step_that_would_ask_for_money_is_said_to(database):
    take(database, arrival("1", report("report_oversized", 1), paid=9), now=1, rules=ASKING)
    assert said(database, 1, ASKING) == [("decision", "main/1", "report_oversized waits for your decision: request the money")]


def test_deadlines_are_counted_by_the_days_of_the_display_zone_and_what_is_overdue_apart(database):
    take(database, arrival("1"), arrival("2"), now=0, rules=RULES)
    shanghai = ZoneInfo("Asia/Shanghai")
    late = day(2) + timedelta(hours=1)
    found = today(database, late, RULES, shanghai)
    assert [(one.date, one.deadlines) for one in found.days] == [(None, {"urge": 2})]
    evening = day(2) - timedelta(hours=2)
    (one,) = today(database, evening, RULES, shanghai).days
    assert f"{one.date:%Y-%m-%d %H:%M %z}" == "2025-03-05 00:00 +0800"


def test_money_is_summed_up_by_party_and_currency_and_by_age(database):
    old = arrival("1", report("report_oversized", 1), paid=1_000)
    take(database, old, now=1, rules=RULES)
    take(database, arrival("2", report("report_oversized", 40), paid=500), now=40, rules=RULES)
    take(database, arrival("3", report("report_no_stock", 40), supplier="Yiwu", paid=300), now=40, rules=RULES)
    take(database, arrival("4", report("report_oversized", 40)), now=40, rules=RULES)
    take(database, arrival("1", report("settle_refund", 41, amount=400), placing=False), now=41, rules=RULES)
    found = {(one.party, one.currency): one for one in outstanding(database, day(41))}
    platform = found["the platform", "CNY"]
    assert (platform.count, platform.amount, platform.younger, platform.older, platform.unknown) == (3, 1_100, 500, 600, 1)
    assert found["Yiwu", "CNY"].amount == 300
    assert [one.amount for one in outstanding(database, day(41), Filter(suppliers=["yiwu"]))] == [300]
    with pytest.raises(UsageError, match="no order has the shop 'other'; known are main"):
        outstanding(database, day(41), Filter(shops=["other"]))


def test_what_was_declined_is_lost(database):
    final = Report("settle_refund", day(2), "test", "f", "import:test", {"amount": 400, "final": True})
    take(database, arrival("1", report("report_oversized", 1), final, paid=1_000), now=2, rules=RULES)
    take(database, arrival("2", report("report_no_stock", 1), report("decline_recovery", 3), paid=300), now=3, rules=RULES)
    assert [(one.party, one.amount) for one in lost(database, day(0))] == [("the platform", 600), ("(no supplier named)", 300)]
    assert [one.party for one in lost(database, day(2.5))] == ["(no supplier named)"]
    assert [one.why for one in lost(database, day(0))] == ["only a part came", "the supplier had no stock"]


def test_what_was_lost_is_told_by_what_it_had_been_asked_for(database):
    declined = report("decline_refund", 20)
    take(database, arrival("1", report("report_oversized", 1), declined, paid=100), now=20, rules=RULES)
    take(database, arrival("2", *APPROVED, report("choose_refund", 6), declined, paid=200), now=20, rules=RULES)
    take(database, arrival("3", *APPROVED, report("choose_refund", 6), declined, paid=300), now=20, rules=RULES)
    told = [(one.cause, one.amount, one.count, one.why) for one in lost(database, day(0))]
    assert told == [
        ("damaged", 500, 2, "claim: damaged"),
        ("report_oversized", 100, 1, "it was too large or too heavy to ship"),
    ]


def test_every_step_that_asks_for_money_or_declines_it_has_words_for_what_was_lost():
    by = {"ask_for_a_refund", "turn_to_the_next_supplier", "settle_refund", "settle_recovery", "decline_recovery"}
    without_claim = {row.trigger for row in ROWS if by & {*row.changes} and "choose_refund" not in row.changes}
    assert without_claim <= CAUSES.keys()
    assert {*map(str, ClaimKind)} <= CAUSES.keys()
