"""Lines that every proposed mapping has: how a file is laid out, its zone, its sums and their currency."""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from inbound.findings import is_currency
from inbound.rows import PLAIN, Layout
from inbound.toml_lines import toml_line
from language import tr


def of_layout(layout: Layout, there: str) -> Iterator[str]:
    """Yield how a file is laid out, where that is not as usual; `there` says what stands in the records of a JSON file."""
    if layout.encoding != PLAIN.encoding:
        yield toml_line("encoding", layout.encoding, tr("it is not UTF-8"))
    if layout.delimiter != PLAIN.delimiter:
        yield toml_line("delimiter", layout.delimiter, tr("it separates the cells of most rows"))
    if layout.quote != PLAIN.quote:
        yield toml_line("quote", layout.quote, tr("quotation marks stand inside cells"))
    if layout.sheet is not None:
        yield toml_line("sheet", layout.sheet, tr("the sheet with the largest table"))
    if layout.header is not None:
        yield f"header = {layout.header}  # {tr('the first row of names')}"
    if layout.records:
        yield toml_line("records", layout.records[0], there)


def of_zone(zone: ZoneInfo | None, questions: list[str]) -> str:
    """Return the zone of times that name none: what a person has said, or a question."""
    if zone is not None:
        return toml_line("time_zone", zone.key, tr("as you have said; the file names none"))
    questions.append(tr("In which time zone are the times of the file? Write it at time_zone"))
    return f'# time_zone = "Continent/City"  # {tr("QUESTION: the file names none; such as Europe/Madrid")}'


def of_decimal(mark: str | None, example: str, questions: list[str]) -> str:
    """Return the decimal mark of sums with an example, or a question where no sum decides it."""
    if mark:
        return toml_line("decimal", mark, tr("as in {example}", example=example))
    questions.append(tr("Is {example} a thousand and more, or has it three decimals? Set decimal", example=example))
    return f'# decimal = ","  # {tr("QUESTION: or a point; every sum has three digits behind its only mark")}'


def asks_for_the_currency(questions: list[str]) -> str:
    """Return the question for a currency that no column names."""
    questions.append(tr("In which currency are the sums? Write it at currency; else that of the policy counts"))
    return f'# currency = {{ value = "USD" }}  # {tr("QUESTION: no column names one")}'


def currencies_in(name: str) -> set[str]:
    """Return the currencies whose codes stand in the name of a column."""
    return {code for code in re.findall(r"\b[A-Z]{3}\b", name) if is_currency(code)}
