"""Symbols stand for the values of many inputs: what is only passed on is worked out once, what is read branches."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tracing.cache import TraceCache
from tracing.expressions import Columns
from tracing.per_input import per_input
from tracing.symbols import OPAQUE, Untraceable
from workflow.case.canonical import ascii_json, plain
from workflow.case.history import chain, sealed

START = datetime(2025, 3, 3, 9, tzinfo=UTC)


def grouped(cache, rows, made):
    found = {}
    for result, numbers in cache.group(Columns([*zip(*rows, strict=True)], len(rows)), made):
        found[result] = sorted([*found.get(result, ()), *numbers])
    return found


def test_what_is_only_passed_on_is_worked_out_once():
    seen = []

    def made(trace, number):
        seen.append(number)
        assert trace.symbol(0).is_same_symbol(trace.symbol(0))
        return "passed on"

    assert grouped(TraceCache(), [(n,) for n in range(9)], made) == {"passed on": [*range(9)]}
    assert seen == [0]


def test_inputs_that_answer_otherwise_get_another_result():
    cache = TraceCache()

    def made(trace, number):
        return "late" if trace.symbol(0) + timedelta(days=1) > START else "early"

    rows = [(START - timedelta(days=day),) for day in range(4)]
    assert grouped(cache, rows, made) == {"late": [0], "early": [1, 2, 3]}
    assert grouped(cache, rows, None) == {"late": [0], "early": [1, 2, 3]}, "the function is not traced again"


def test_what_is_read_counts_for_inputs_with_that_value_alone():
    rows = [("a",), ("b",), ("a",)]
    assert grouped(TraceCache(), rows, lambda trace, number: str(trace.symbol(0))) == {"a": [0, 2], "b": [1]}


def test_tracing_is_given_up_where_every_input_answers_in_its_own_way():
    cache = TraceCache()
    assert len(grouped(cache, [(n,) for n in range(100)], lambda trace, number: int(trace.symbol(0)) + 1)) <= 31
    assert cache.given_up


def test_inputs_for_which_something_cannot_be_traced_are_left_out():
    def made(trace, number):
        if trace.symbol(0) < START:
            return "early"
        raise Untraceable

    cache, rows = TraceCache(), [(START + timedelta(days=day),) for day in (-1, 1, -2, 2)]
    assert grouped(cache, rows, made) == {"early": [0, 2]}
    assert not cache.given_up


def test_what_never_can_be_traced_is_given_up_at_once():
    cache = TraceCache()
    assert grouped(cache, [(1,), (2,)], lambda trace, number: bool(OPAQUE)) == {}
    assert cache.given_up


def test_an_error_of_the_function_is_told():
    with pytest.raises(TypeError):
        grouped(TraceCache(), [(1,)], lambda trace, number: len(5))


@pytest.mark.parametrize("look", [str, bool, hash, iter, len, lambda it: it + 1, lambda it: it == 1, lambda it: it.year, plain])
def test_what_was_not_loaded_cannot_be_read(look):
    with pytest.raises(Untraceable):
        look(OPAQUE)


LOOKS = {
    "added": lambda number, at, name: (number + number, 5 + number, sum([number, number])),
    "taken away": lambda number, at, name: (10 - number, at - at, at - START),
    "moved": lambda number, at, name: (number - 2 < number, number + 1 < number + 2, at + timedelta(days=1) > START),
    "compared": lambda number, at, name: (number < 4, number > 4, number >= 3, number <= 3, number == 3, number != name),
    "apart": lambda number, at, name: ((at + timedelta(days=1)) - at, at - at, (number + 2) - number, number - number),
    "the same": lambda number, at, name: (at == START, at != START, at == at + timedelta(days=1), at == name, at == at),
    "read in a zone": lambda number, at, name: (at.astimezone(UTC).date(), at.astimezone(UTC).year, at.astimezone(UTC).hour),
    "measured": lambda number, at, name: (len(name), int(number), str(name), [*name], name.upper(), f"{name:>5}"),
    "true": lambda number, at, name: (bool(number), bool(at), bool(name), not name),
    "joined": lambda number, at, name: (name + "!", {name: 1}[name]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_symbol_answers_as_its_value_would(look):
    rows = [(3, START, "a"), (0, START + timedelta(hours=20), ""), (7, START - timedelta(days=400), "long")]
    made = lambda trace, number: repr(LOOKS[look](*(trace.symbol(slot) for slot in range(3))))  # noqa: E731
    results = grouped(TraceCache(), rows, made)
    assert sorted(number for numbers in results.values() for number in numbers) == [0, 1, 2]
    for result, numbers in results.items():
        assert {repr(LOOKS[look](*rows[number])) for number in numbers} == {result}


@per_input
def padded(text, width):
    """Return a text padded from the left."""
    return text.rjust(width, "-")


def test_a_function_that_is_not_traced_is_called_for_each_input():
    assert padded("a", 3) == "--a", "without symbols it is an ordinary function"
    columns = Columns([["a", "bb"]], 2)
    ((result, numbers),) = TraceCache().group(columns, lambda trace, number: padded(trace.symbol(0), 3))
    assert (numbers, columns.of(result.expression)) == ([0, 1], ["--a", "-bb"])
    read = grouped(TraceCache(), [("a",), ("bb",)], lambda trace, number: str(padded(trace.symbol(0), 3)))
    assert read == {"--a": [0], "-bb": [1]}


def test_a_shared_value_is_computed_once_for_all_inputs():
    columns = Columns([["a", "bb"]], 2, shared=(START,))
    day = timedelta(days=1)
    ((result, _),) = TraceCache().group(columns, lambda trace, number: trace.shared(0) + day)
    assert result.expression.is_uniform
    assert columns.of(result.expression) == [START + day] * 2


def test_a_history_row_made_of_symbols_is_hashed_as_each_order_would_be():
    rows = [("before", 'a "quoted" 名', START, 5), ("other", "%s \\ %d", START + timedelta(days=1), 7)]

    def row_of(previous, name, at, sum_):
        row = {"sequence": 2, "trigger": "urge", "source": None, "target": "placed", "occurred": at, "due": at}
        row |= {"recorded": at, "actor": "timer", "reason": None, "policy": 1}
        told = {"details": {"sum": sum_, "more": sum_ + 1, "name": name}, "wrote": None}
        first = sealed(f"main/{name}", previous, row | told)
        return sealed(
            f"main/{name}",
            first.hash,
            row | {"details": {"at": at}, "wrote": ascii_json({"timers": {"+1": {"due_at": at, "of": name}}})},
        )

    columns = Columns([*zip(*rows, strict=True)], 2)
    made = lambda trace, number: row_of(*(trace.symbol(slot) for slot in range(4)))  # noqa: E731
    ((row, numbers),) = [(result.hash, numbers) for result, numbers in TraceCache().group(columns, made)]
    assert numbers == [0, 1]
    assert columns.of(row.expression) == [row_of(*values).hash for values in rows]
    assert chain("main/x", "before", row_of(*rows[0])) != chain("main/x", "after", row_of(*rows[0]))


def test_a_text_made_of_symbols_is_filled_in_for_each_input():
    rows = [('a "quoted" 名', START, 5, True), ("%s \\ %d", START + timedelta(days=1), 7, False)]
    columns = Columns([*zip(*rows, strict=True)], 2)

    def made(trace, number):
        names = ("name", "at", "sum", "is_so")
        text = json.dumps({name: trace.symbol(at) for at, name in enumerate(names)}, default=plain, ensure_ascii=False)
        assert trace.is_marked(text)
        return trace.text(text)

    ((text, _),) = TraceCache().group(columns, made)
    for (name, at, sum_, is_so), filled in zip(rows, columns.of(text), strict=True):
        told = {"name": name, "at": at.isoformat(), "sum": sum_, "is_so": is_so}
        assert filled == json.dumps(told, ensure_ascii=False)
