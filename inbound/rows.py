"""Rows of foreign files, and how such a file is written."""

from dataclasses import dataclass

from workflow.values import value_class

Cell = str | list[str]


@value_class(frozen=True, slots=True)
class Row:
    """One row of a file.

    `problem` says why it cannot be read as a row at all; `follows`, that it took cells from the row above.
    """

    line: int
    cells: dict[str, Cell]
    problem: str | None = None
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written.

    `header` is the row that names the columns (None: the first that is not blank); of rows before it nothing is read.
    `quote` is empty where cells stand without quotation marks. An empty cell of a column in `fill` is that of the row above.
    `sheet` is that of a workbook (None: the first that is not empty). Of JSON, `records` is where the list of orders stands
    in a wrapper (`data.orders`; of several such places the first that is there; `.` is the document itself), and `lines` the
    list in each of them that has its lines.
    """

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    quote: str = '"'
    header: int | None = None
    fill: tuple[str, ...] = ()
    sheet: str | None = None
    records: tuple[str, ...] = ()
    lines: str | None = None


PLAIN = Layout()
