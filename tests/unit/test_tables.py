"""Tables on terminals of any width."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from admin import tables
from admin.tables import Cell, amount, overdue, print_rows, wrapped
from tests.factories import day

LETTERS = "abcdefgh单买家退款_-"
WORDS = st.text(st.sampled_from(f" {LETTERS}"), min_size=1, max_size=40).map(str.strip)


@pytest.fixture
def printed(monkeypatch, capsys):
    """Print rows on a terminal of a width (0: into a pipe), and return the lines."""

    def call(rows, width, columns=("order", "what", "sum"), title="Orders"):
        monkeypatch.setattr(tables, "terminal_width", lambda: width)
        print_rows(title, columns, rows, "Nothing.")
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_a_table_has_a_column_for_each_name_and_numbers_stand_at_the_right(printed):
    assert printed([("main/1", "late", 7), ("main/22", None, 1_000)], 0) == [
        "Orders",
        "order    what   sum",
        "main/1   late     7",
        "main/22        1000",
    ]


def test_columns_that_hold_nothing_are_left_out(printed):
    assert printed([("main/1", None, ""), ("main/2", None, None)], 80) == ["Orders", "order", "main/1", "main/2"]
    assert printed([], 80) == ["Nothing."]


def test_in_a_narrow_terminal_sentences_are_broken_between_words_and_sums_never(printed):
    rows = [("main/1", "the supplier does not answer and is urged", amount(123_456, "CNY"))]
    assert printed(rows, 40) == [
        "Orders",
        "order   what                         sum",
        "main/1  the supplier does    1234.56 CNY",
        "        not answer and is",
        "        urged",
    ]


def test_where_not_even_the_words_fit_each_row_is_a_block(printed):
    rows = [("main/1", "request_verification_of_it", amount(123_456, "CNY")), ("main/2", "", amount(1, "CNY"))]
    assert printed(rows, 40) == [
        "Orders",
        "main/1",
        "  what: request_verification_of_it; sum:",
        "  1234.56 CNY",
        "main/2",
        "  sum: 0.01 CNY",
    ]


def test_control_characters_of_a_file_never_reach_the_terminal(printed):
    assert printed([("main/1", "\x1b[2J\x07", "‮")], 0)[-1] == "main/1  �[2J�  �"


def test_a_deadline_is_red_once_it_has_passed():
    assert overdue("soon", day(2), day(1)).style is None
    assert overdue("late", day(1), day(2)).style == "red"
    assert overdue("-", None, day(2)) == ""


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal_and_no_letter_is_lost(rows, width):
    lines = list[str]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "terminal_width", lambda: width)
        patched.setattr(tables.click, "echo", lambda line="": lines.extend(line.split("\n")))
        patched.setattr(tables.click, "secho", lambda line, **_: lines.append(line))
        print_rows("Q", ("X", "Y", "Z"), rows, "Nothing.")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert max(map(cell_len, lines)) <= width
    told, letters = "".join(lines), "".join("".join(row) for row in rows)
    assert {one: told.count(one) for one in LETTERS} == {one: letters.count(one) for one in LETTERS}


@given(st.text(st.sampled_from("ab 单家"), max_size=200), st.integers(4, 60))
def test_a_text_is_broken_into_lines_of_that_width_at_most(text, width):
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_cell_keeps_its_style_and_its_place():
    cell = Cell("3", "red", right=True, whole=True)
    assert (str(cell), cell.style, cell.right, cell.whole) == ("3", "red", True, True)
