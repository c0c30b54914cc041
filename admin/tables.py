"""Tables for people: words stay whole, and where the terminal is too narrow each row becomes a block of lines."""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

import click

from admin.text import safe
from language import tr
from workflow.case.money import show_amount

GAP = 2
"""Columns between two cells."""
LONGEST_WORD = 28
"""A longer word may be broken: a digest, an address, or a sentence without spaces, as Chinese has them."""
LEAST_WIDTH = 40


class Cell(str):
    """A cell with a style of its own on a terminal; whether it stands at the right of its column, and is never broken."""

    __slots__ = ("right", "style", "whole")
    style: str | None
    right: bool
    whole: bool

    def __new__(cls, text: str, style: str | None = None, *, right: bool = False, whole: bool = False) -> "Cell":
        """Make the cell; `style` is one of rich's, such as "red"."""
        cell = super().__new__(cls, text)
        cell.style, cell.right, cell.whole = style, right, whole
        return cell


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str, *, heads: int = 1) -> None:
    """Print a table, or a sentence when there is nothing to show. Columns without any cell are left out.

    In a terminal that is too narrow each row is a block, which the cells of so many columns (`heads`) head.
    Title, names of columns and the sentence are texts of the program: they are put into the language of the screens.
    """
    if not rows:
        click.echo(tr(empty))
        return
    filled = [number for number in range(len(columns)) if any(row[number] not in (None, "") for row in rows)]
    names = [tr(columns[number]) for number in filled]
    cells = [[_cell(row[number]) for number in filled] for row in rows]
    width = terminal_width()
    for line in wrapped(tr(title), width):
        click.secho(line, bold=True)
    widths = _widths(names, cells, width)
    if widths is None:
        _print_blocks(names, cells, width, heads)
    else:
        _print_table(names, cells, widths)


def overdue(text: str, at: datetime | None, now: datetime) -> Cell:
    """Return the cell of a deadline: red once it has passed."""
    return Cell("" if at is None else text, "red" if at is not None and at < now else None)


def wrong(text: object) -> Cell:
    """Return the cell of what went wrong."""
    return Cell("" if text is None else str(text), "red")


def amount(minor: int | None, currency: str) -> Cell:
    """Return the cell of a sum; empty where it is not known."""
    return Cell("" if minor is None else show_amount(minor, currency), "bold", right=True, whole=True)


def unknown_amount(currency: str) -> Cell:
    """Return the cell of a sum that is not known."""
    return Cell(f"? {currency}", right=True, whole=True)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return a text with spaces behind it (`right`: before it) up to so many columns; a Chinese character is two wide."""
    from rich.cells import cell_len

    space = " " * max(0, width - cell_len(text))
    return space + text if right else text + space


def terminal_width(of: TextIO | None = None) -> int:
    """Return how many columns the terminal has; 0 where the output is no terminal, and no line is broken."""
    return max(shutil.get_terminal_size().columns, LEAST_WIDTH) if (of or sys.stdout).isatty() else 0


def wrapped(text: str, width: int) -> list[str]:
    """Break a text between words so that no line is wider than `width` columns of a terminal; 0: not at all.

    A Chinese character is two columns wide; a word that is wider than a line is broken.
    """
    if not width:
        return [text]
    from rich.console import Console
    from rich.text import Text

    return [line.plain.rstrip() for line in Text(text).wrap(Console(width=width), width, overflow="fold")]


def _cell(value: Any) -> Cell:
    if value is None or value == "":
        return Cell("")
    if isinstance(value, Cell):
        return Cell(safe(value), value.style, right=value.right, whole=value.whole)
    return Cell(safe(str(value)), right=isinstance(value, int | float) and not isinstance(value, bool))


def _widths(names: Sequence[str], cells: Sequence[Sequence[Cell]], width: int) -> list[int] | None:
    """Return how wide each column is; None where not even the longest words fit beside each other."""
    from rich.cells import cell_len

    def least_of(cell: Cell) -> int:
        return cell_len(cell) if cell.whole else max((min(cell_len(word), LONGEST_WORD) for word in cell.split()), default=0)

    columns = [[Cell(name), *(row[number] for row in cells)] for number, name in enumerate(names)]
    whole = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns]
    least = [max(map(least_of, column)) for column in columns]
    spare = width - GAP * (len(names) - 1) - sum(least)
    if not width or sum(whole) - sum(least) <= spare:
        return whole
    if spare < 0:
        return None
    widths = least
    while spare and (short := [number for number, wide in enumerate(whole) if widths[number] < wide]):
        narrowest = min(short, key=lambda number: widths[number] / whole[number])
        widths[narrowest] += 1
        spare -= 1
    return widths


def _print_table(names: Sequence[str], cells: Sequence[Sequence[Cell]], widths: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table: Table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold underline")
    for number, name in enumerate(names):
        right = all(row[number].right or not row[number] for row in cells)
        table.add_column(name, justify="right" if right else "left", width=widths[number], overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, cell.style or "") for cell in row))
    console = Console(width=sum(widths) + GAP * len(widths), highlight=False)
    with console.capture() as printed:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def _print_blocks(names: Sequence[str], cells: Sequence[Sequence[Cell]], width: int, heads: int) -> None:
    for row in cells:
        heading = "  ".join(row[:heads])
        for line in wrapped(f"{names[0]} {heading}" if row[0].right else heading, width):
            click.secho(line, bold=True)
        told = "; ".join(f"{name}: {cell}" for name, cell in zip(names[heads:], row[heads:], strict=True) if cell)
        for line in wrapped(told, width - GAP):
            click.echo(f"{' ' * GAP}{line}")
