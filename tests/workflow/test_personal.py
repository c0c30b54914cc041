"""What of a text is the buyer's (rules 6.3 and 6.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import order
from workflow.addresses import email_address
from workflow.case.personal import is_name, pattern_of, without_buyer

KIM = order(buyer_name="Kim Lee", buyer_email="kim@example.com", buyer_address="12 Long Lane")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Kim Lee called", "(the buyer) called"),
        ("KIM  \t lee's mug", "(the buyer)'s mug"),
        ("wrote from kim@example.com.", "wrote from (the buyer)."),
        ("to 12 long lane and 12 Long Lanes", "to (the buyer) and 12 Long Lanes"),
        ("Kim Leeds, skim leek, Tokim Lee", "Kim Leeds, skim leek, Tokim Lee"),
        ("nothing of hers", "nothing of hers"),
    ],
)
def test_the_buyers_name_and_addresses_are_replaced_as_whole_words(text, said):
    assert without_buyer(KIM, text) == said


def test_what_a_report_itself_says_of_the_buyer_is_replaced_too():
    assert without_buyer(KIM, "now at 14 Short Lane", ["14 Short Lane"]) == "now at (the buyer)"


def test_an_order_without_a_buyer_leaves_texts_as_they_are():
    assert without_buyer(order(), "Kim Lee called") == "Kim Lee called"
    assert pattern_of((None, "", "  ", "Al")) is None


def test_a_name_in_a_script_without_spaces_is_found_within_words():
    assert without_buyer(order(buyer_name="王伟"), "請王伟先生") == "請(the buyer)先生"
    assert without_buyer(order(buyer_name="王伟a"), "x王伟a b王伟ab") == "x(the buyer) b王伟ab"
    assert without_buyer(order(buyer_name="a王伟"), "a王伟x ba王伟") == "(the buyer)x ba王伟"


def test_a_name_that_ends_in_a_point_is_found_before_anything():
    assert without_buyer(order(buyer_name="Lee Jr."), "Lee Jr.s") == "(the buyer)s"
    assert without_buyer(order(buyer_name="(Kim"), "a(Kim b") == "a(the buyer) b"


def test_the_longest_name_is_replaced_first_and_marks_of_patterns_are_taken_as_they_are():
    longer = order(buyer_name="Kim", buyer_address="Kim's House +1 (left)")
    assert without_buyer(longer, "at kim's house +1 (left)") == "at (the buyer)"
    assert without_buyer(longer, "at kims house 1 left") == "at kims house 1 left"


@pytest.mark.parametrize(("text", "is_one"), [("Al", False), ("Ann", True), ("王", False), ("王伟", True), ("Jó", True)])
def test_short_names_are_not_looked_for(text, is_one):
    assert is_name(text) is is_one


@pytest.mark.parametrize("text", ["kim@example.com", "a.b+c@d-e.example.org", f"{'a' * 246}@x.example"[-254:]])
def test_an_address_is_taken_as_it_is(text):
    assert email_address(text) == text


@pytest.mark.parametrize(
    "text", ["kim", "kim@example", "Kim <kim@example.com>", "a@b.example, c@d.example", "a" * 245 + "@example.com"]
)
def test_what_is_not_one_address_is_refused(text):
    with pytest.raises(ValueError, match="is not an email address") as caught:
        email_address(text)
    assert str(caught.value) == (
        f"{text[:60]!r} is not an email address: write one such as kim@example.com (plain letters, digits, . _ + -)"
    )


def test_the_longest_address_has_254_characters():
    longest = f"{'a' * 242}@example.com"
    assert len(longest) == 254
    assert email_address(longest) == longest
    with pytest.raises(ValueError, match="is not an email address"):
        email_address(f"a{longest}")


_LETTERS = st.sampled_from([*"kiSs Lee", "ſ", "K", "ı", "İ", "ß", "王", "é", "-", "1"])


@given(st.text(_LETTERS, min_size=2, max_size=8), st.text(_LETTERS, max_size=12))
def test_no_text_is_passed_over_in_which_a_name_stands(name, text):
    whole = f"x {text} {name.swapcase()} y"
    pattern = pattern_of((name, None, None))
    for one in (text, whole):
        assert without_buyer(order(buyer_name=name), one) == (pattern.sub("(the buyer)", one) if pattern else one)
