"""Where a value of a foreign file comes from, and how it is cleaned: what stands behind a name of a mapping."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from inbound.rows import Cell, Row
from language import tr

_QUOTED = re.compile(r'="(.*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Writing:
    """How a source writes its values, where that is not plain: None or empty is as the mapping or the program has it.

    `decimal` is the mark of decimals in sums; `formats` and `zone` are of instants.
    """

    decimal: str | None = None
    formats: tuple[str, ...] = ()
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: the first of some columns that is filled, a template of columns, or a constant.

    Then it is cleaned: `prefixes` are cut off, `empty` are words that say nothing, and `words` says what others mean; one
    that is none of them is `otherwise`, or stays as it is.
    """

    columns: tuple[str, ...] = ()
    value: Cell = ""
    template: str | None = None
    prefixes: tuple[str, ...] = ()
    empty: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    writing: Writing = Writing()

    def of(self, row: Row) -> Cell:
        """Return what a row says; an empty text where it says nothing."""
        if self.template is not None:
            return self._cleaned(self._filled_in(row))
        for column in self.columns:
            cell = row.cells.get(column, "")
            if cell and (said := self._cleaned(cell)):
                return said
        return self.value

    @property
    def location(self) -> str:
        """The columns, for messages."""
        return " / ".join(self.columns) if self.columns else tr("a constant of the mapping")

    def _cleaned(self, cell: Cell) -> Cell:
        if not isinstance(cell, str):
            return cell
        if cell[:1] in _MARKS:
            cell = without_marks(cell)
        if self.prefixes:
            cell = _without(cell, self.prefixes)
        if self.empty and cell.lower() in self.empty:
            return ""
        if self.words and cell:
            return self.words.get(cell.lower(), cell if self.otherwise is None else self.otherwise)
        return cell

    def _filled_in(self, row: Row) -> str:
        """Return the template with its columns filled in, without the commas and slashes around those that say nothing.

        If none of them says anything, it is an empty text.
        """
        found = {name: _one(row.cells.get(name, "")) for name in self.columns}
        if not any(found.values()):
            return ""
        assert self.template is not None, "only a template is filled in"
        filled_in = _NAMED.sub(lambda match: found[match[1]], self.template).strip()
        if all(found.values()):
            return filled_in
        return ", ".join(part for one in filled_in.split(",") if (part := one.strip(" /")))


_MARKS = frozenset("='")
"""What spreadsheets put before a text so that it is not taken for a number."""
_NAMED = re.compile(r"\{([^{}]+)\}")


def columns_in(template: str) -> tuple[str, ...]:
    """Return the columns that a template names."""
    return tuple(dict.fromkeys(_NAMED.findall(template)))


def without_marks(cell: str) -> str:
    """Return a text without what spreadsheets put around it: ="0012" and '0012 are 0012."""
    if quoted := _QUOTED.fullmatch(cell):
        return quoted[1].strip()
    return cell[1:].strip() if cell[:1] == "'" else cell


def _without(cell: str, prefixes: Iterable[str]) -> str:
    """Return a text without the first of some prefixes that it has, whatever their case."""
    for prefix in prefixes:
        if cell.lower().startswith(prefix.lower()):
            return cell[len(prefix) :].strip()
    return cell


def _one(cell: Cell) -> str:
    return without_marks(cell) if isinstance(cell, str) else ", ".join(cell)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a column must say: one of some words, none of some, anything at all (`filled`), or a number above one."""

    column: str
    among: frozenset[str] | None = None
    none_of: frozenset[str] = frozenset()
    filled: bool | None = None
    above: float | None = None
    decimal: str | None = None
    """The mark before the decimals of the number, where the mapping says."""

    def is_met(self, row: Row) -> bool:
        """Say whether a row meets it; words are compared without regard to case and to spaces at their ends."""
        said = _one(row.cells.get(self.column, "")).strip()
        word = said.lower()
        if self.among is not None and word not in self.among:
            return False
        if word in self.none_of or (self.filled is not None and bool(said) is not self.filled):
            return False
        return self.above is None or number_in(said, self.decimal) > self.above


_WRITTEN = re.compile(r"(-?)\s*\D?\s*(\d[\d.,'’ \u00a0\u202f]*)")


def number_in(said: str, decimal: str | None = None) -> float:
    """Return the number in a text, whatever is written around it; below every number where there is none.

    Where `decimal` does not say it, the last mark stands before decimals, unless it can only be between thousands; a comma
    before three digits is.
    """
    found = _WRITTEN.search(said)
    if not found:
        return float("-inf")
    digits = re.sub(r"[^\d.,]", "", found[2]).rstrip(".,")
    mark = decimal or _mark_of_decimals(digits)
    whole, decimals = digits, ""
    if mark and mark in digits:
        whole, _, decimals = digits.rpartition(mark)
    value = float(re.sub(r"\D", "", whole) + "." + (re.sub(r"\D", "", decimals) or "0"))
    return -value if found[1] else value


def _mark_of_decimals(digits: str) -> str | None:
    marks = re.findall(r"[.,]", digits)
    if not marks or (len(marks) > 1 and len(set(marks)) == 1):
        return None
    is_thousand = len(marks) == 1 and marks[0] == "," and len(digits.rpartition(",")[2]) == 3
    return None if is_thousand else str(marks[-1])


def all_met(conditions: Iterable[Condition], row: Row) -> bool:
    """Say whether a row meets every condition."""
    return all(one.is_met(row) for one in conditions)
