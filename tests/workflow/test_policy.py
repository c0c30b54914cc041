"""What a policy decides for whom, and how it says what is wrong with it (rules 3.9 and 5.2)."""

from dataclasses import replace

import pytest

from tests.factories import Story, rules_of
from workflow.policy.durations import Duration
from workflow.policy.policy import Policy, PolicyError, PolicyScope, digest, read_policy

DURATION = "is not a duration: write 2d, 36h, 5m or 15wd (working days)"
OVERRIDES = """
[[overrides]]
shop = "main"
[overrides.overdue]
urge_after = "1d"

[[overrides]]
supplier = "Yiwu"
[overrides.overdue]
urge_after = "3d"
reroute_after = "9d"
[overrides.money]
chase_refund_at = ["5wd", "6wd"]

[[overrides]]
route = "domestic"
[overrides.overdue]
urge_after = "5d"
handling_time = "1d"

[[overrides]]
shop = "main"
supplier = "Yiwu"
route = "domestic"
[overrides.supply]
no_stock = "refund"
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[overdue]\nurge_aftr = '2d'", "[overdue.urge_aftr] is not a setting of the policy; did you mean urge_after?"),
        ("[overdue]\nurge_after = 'soon'", f"[overdue.urge_after]: 'soon' {DURATION}"),
        ("[customs]\nremind_times = 0", "[customs.remind_times]: Input should be greater than or equal to 1"),
        (
            "[overdue]\nurge_after = 'soon'\nx = 1",
            f"[overdue.urge_after]: 'soon' {DURATION}; [overdue.x] is not a setting of the policy; "
            "known are handling_time, reroute_after, reroute_after_urge, routes, urge_after",
        ),
        (
            "[money]\nchase_refund_at = ['15wd', '15wd']",
            "[money.chase_refund_at]: write rising durations of one unit, such as 15wd, 20wd, 25wd",
        ),
        (
            "[money]\nchase_refund_at = ['15wd', '20d']",
            "[money.chase_refund_at]: write rising durations of one unit, such as 15wd, 20wd, 25wd",
        ),
        ("[transit]\nstall_every = '0d'", "[transit.stall_every]: 0d would never end: write a duration longer than nothing"),
        ("[transit]\nstall_every = '3wd'", "[transit.stall_every]: 3wd has no fixed length: write days, hours or minutes"),
        ("[effects]\ndefault_channels = ['log', 'log']", "[effects.default_channels]: name each channel once"),
        (
            "[effects.modes]\nurge_suplier = 'ask'",
            "[effects.modes.urge_suplier] is not a kind of effect; did you mean urge_supplier?",
        ),
        (
            "[effects]\ndefault_channels = ['mail']",
            "[effects.default_channels]: 'mail' is no channel: write log, file, email, webhook.NAME or chat.NAME",
        ),
        (
            "[[overrides]]\nshop = 'a'\neffects.modes.escalate = 'off'",
            "[overrides 1.effects.modes] is the same for all orders: only channels may differ",
        ),
        (
            "[[overrides]]\nshop = 'a'\neffects.channels.escalat = ['log']",
            "[effects.channels.escalat] is not a kind of effect; did you mean escalate?",
        ),
        (
            "[[overrides]]\nshop = 'a'\neffects.channels.escalate = ['lok']",
            "[overrides 1.effects.channels.escalate]: 'lok' is no channel: write log, file, email, webhook.NAME or chat.NAME",
        ),
        (
            "[effects.channels]\nplace_suply = ['log']",
            "[effects.channels.place_suply] is not a kind of effect; did you mean place_supply?",
        ),
        (
            "[effects.modes]\nescalate = 'ask'",
            "[effects.modes.escalate]: ask is for urge_supplier, place_supply, recover_supply, request_refund, place_reissue; "
            "write auto or off",
        ),
        ("x = [1", "the policy is not TOML: Unclosed array (at end of document)"),
        (
            "[calendar]\nclosures = [2025-03-04]\nextra_working_days = [2025-03-04]",
            "[calendar]: 2025-03-04 is both a closure and an extra working day: keep one",
        ),
        ("[calendar]\ncountry = 'XX'", "[calendar]: no holiday calendar for country 'XX': use an ISO 3166 code such as CN"),
        ("[orders]\ncurrency = 'QQQ'", "[orders.currency]: 'QQQ' is not an ISO 4217 currency code"),
        ("[[overrides]]\nsuply = {}", "[overrides 1.suply] is not a setting of the policy; did you mean supply?"),
        (
            "[[overrides]]\nshop = 'a'\n[overrides.overdue]\nurge_aftr = '2d'",
            "[overrides 1.overdue.urge_aftr] is not a setting of the policy; did you mean urge_after?",
        ),
        (
            "[[overrides]]\nshop = 'b'\nsupply = {no_stock = 'refund'}\n"
            "[[overrides]]\nshop = 'a'\noverdue = {urge_after = 'x'}",
            f"[overrides 2.overdue.urge_after]: 'x' {DURATION}",
        ),
        ("[[overrides]]\nshop = 'a'", '[overrides 1] changes nothing: give it a number, such as overdue.urge_after = "3d"'),
        (
            "[[overrides]]\noverdue = {urge_after = '2d'}",
            "[overrides 1] names no shop, supplier or route: it would be for every order",
        ),
        (
            "".join(f"[[overrides]]\nshop = '{shop}'\noverdue = {{urge_after = '2d'}}\n" for shop in "aba"),
            "[overrides 3] is for the same orders as overrides 1: write them as one",
        ),
        (
            "[[overrides]]\nshop = 'a'\noverdue = {urge_after = 'x', reroute_after = 'y'}",
            f"[overrides 1.overdue.urge_after]: 'x' {DURATION}; [overrides 1.overdue.reroute_after]: 'y' {DURATION}",
        ),
        ("[[overrides]]\nroute = 'air'", "[overrides 1.route]: Input should be 'domestic' or 'international'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_may_stand_there(text, said):
    with pytest.raises(PolicyError) as caught:
        read_policy(text)
    assert str(caught.value) == said


def test_a_document_that_is_nested_too_deeply_is_refused():
    with pytest.raises(PolicyError, match="the policy is not TOML: it is nested too deeply"):
        read_policy("x = " + "[" * 5_000 + "]" * 5_000)


def scope(shop="main", supplier: str | None = "Yiwu", route="domestic"):
    return PolicyScope(shop, supplier, route)


@pytest.mark.parametrize(
    ("order", "counts"),
    [
        (scope(), [3, 1, 2, 4]),
        (scope(supplier=None), [3, 1]),
        (scope(shop="other"), [3, 2]),
        (scope(shop="other", supplier=None, route="international"), []),
        (scope(route="international"), [1, 2]),
    ],
)
def test_the_overrides_that_count_come_in_order_the_most_specific_last(order, counts):
    assert [number for number, _ in read_policy(OVERRIDES).matching_overrides(order)] == counts


def test_of_two_overrides_for_as_much_the_one_that_stands_later_counts():
    policy = Policy.model_validate({"overrides": [{"shop": "a", "supply": {"no_stock": one}} for one in ("reroute", "refund")]})
    assert policy.for_scope(scope("a")).supply.no_stock == "refund"


def test_each_number_is_the_one_of_the_most_specific_override_that_names_it():
    policy = read_policy(OVERRIDES).for_scope(scope())
    assert policy.overdue.urge_after == Duration(3, "d")
    assert policy.overdue.reroute_after == Duration(9, "d")
    assert policy.overdue.handling_time == Duration(1, "d")
    assert policy.overdue.reroute_after_urge == Duration(2, "d")
    assert policy.supply.no_stock == "refund"


def test_the_line_that_decides_is_named_with_its_value_and_whose_it_is():
    policy = read_policy(OVERRIDES)
    assert policy.line_of(scope(), "overdue", "urge_after") == "overdue.urge_after = 3d (overrides 2: supplier Yiwu)"
    assert (
        policy.line_of(scope(), "money", "chase_refund_at") == "money.chase_refund_at = 5wd, 6wd (overrides 2: supplier Yiwu)"
    )
    assert (
        policy.line_of(scope(), "supply", "no_stock")
        == "supply.no_stock = refund (overrides 4: shop main, supplier Yiwu, route domestic)"
    )
    assert policy.line_of(scope(), "overdue", "reroute_after_urge") == "overdue.reroute_after_urge = 2d"
    assert policy.line_of(scope("x", None, "international"), "overdue", "urge_after") == "overdue.urge_after = 2d"


def test_the_policy_of_an_order_follows_its_current_supplier():
    told = Story(rules_of(OVERRIDES), supplier="Yiwu", alternatives=("Ningbo",))
    assert told.rules.of(told.case).overdue.urge_after == Duration(3, "d")
    assert told.rules.scope_of(told.case) == scope()
    told.report("report_no_stock", 1)
    assert told.case.state == "refunding"
    other = replace(told.case, order=replace(told.case.order, supplier="Ningbo"), attempts=())
    assert told.rules.of(other).overdue.urge_after == Duration(1, "d")
    assert told.rules.scope_of(other).supplier is None, "no override names that supplier"


def test_a_policy_without_an_override_for_an_order_is_the_policy_itself():
    policy = read_policy(OVERRIDES)
    assert policy.for_scope(scope("x", None, "international")) is policy


def test_a_policy_without_overrides_is_the_same_for_all_orders():
    rules = rules_of()
    assert rules.of(Story(rules).case) is rules.policy


def test_kinds_of_effects_leave_in_the_mode_and_by_the_channels_that_are_named():
    policy = read_policy("[effects.modes]\nescalate = 'off'\n[effects.channels]\nescalate = ['file', 'email']")
    assert (policy.mode("escalate"), policy.mode("urge_supplier")) == ("off", "auto")
    assert (policy.channels("escalate"), policy.channels("urge_supplier")) == (("file", "email"), ("log",))


def test_messages_about_some_orders_leave_by_other_channels():
    policy = read_policy(
        "[effects]\ndefault_channels = ['email']\n[effects.channels]\nescalate = ['log']\n"
        "[[overrides]]\nshop = 'b'\neffects.default_channels = ['file']\neffects.channels.urge_supplier = ['webhook.b']\n"
    )
    other = policy.for_scope(PolicyScope("b", None, "domestic"))
    kinds = "escalate", "urge_supplier", "place_supply"
    assert [policy.channels(kind) for kind in kinds] == [("log",), ("email",), ("email",)]
    assert [other.channels(kind) for kind in kinds] == [("log",), ("webhook.b",), ("file",)]
    assert policy.used_channels == {"email", "log", "file", "webhook.b"}


def test_two_texts_are_told_apart_by_their_digests():
    assert digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
