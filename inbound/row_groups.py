"""The rows of a file that are about one order, together."""

from collections import Counter
from collections.abc import Iterator, Set
from pathlib import Path

from inbound.files import header_of, read_rows
from inbound.mapping import Mapping
from inbound.rows import Row
from inbound.sources import Source, all_met

DEFAULT_SHOP = "main"


class RowGroups:
    """The rows that a mapping reads of a file, by order. Reading them twice gives the same groups in the same order.

    `rows` is how many there are.

    Raises:
        UsageError: the file cannot be read, or lacks a column that the mapping names.

    """

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self._path, self._mapping = path, mapping
        self._shop, self._number = mapping.order.get("shop", Source()), mapping.tracking_number or mapping.order["id"]
        self._columns = mapping.columns()
        self.rows, self._scattered = self._survey()

    def __iter__(self) -> Iterator[list[Row]]:
        """Yield the rows of each order together; those of orders whose rows do not follow each other last."""
        group: list[Row] = []
        last: str | None = None
        later: dict[str, list[Row]] = {}
        for row in self._read(self._columns):
            key = self._key(row)
            if key in self._scattered:
                later.setdefault(key, []).append(row)
                continue
            if group and key != last:
                yield group
                group = []
            group.append(row)
            last = key
        yield from ([group] if group else [])
        yield from later.values()

    def _read(self, only: Set[str]) -> Iterator[Row]:
        rows = read_rows(self._path, self._mapping.layout, only)
        return self._that_count(rows) if self._mapping.when else rows

    def _that_count(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield the rows that are read; one that took its number from a row that is not goes with that."""
        left_out: str | None = None
        for row in rows:
            if (row.follows and self._key(row) == left_out) or not self._is_read(row):
                left_out = self._key(row)
            else:
                left_out = None
                yield row

    def _is_read(self, row: Row) -> bool:
        """Say whether a row counts; a broken one does, unless it is a footer: it names no order and meets no condition."""
        is_broken = row.problem is not None and (not row.cells or bool(self._number.of(row)))
        return is_broken or all_met(self._mapping.when, row)

    def _key(self, row: Row) -> str:
        return f"{self._shop.of(row) or DEFAULT_SHOP}/{self._number.of(row)}"

    def _survey(self) -> tuple[int, set[str]]:
        """Check the columns, count the rows, and find the orders whose rows do not follow each other."""
        header = header_of(self._path, self._mapping.layout)
        if header is not None:
            self._mapping.check_columns(header, self._path)
            return self._count(self._read(self._mapping.columns_of_rows()))
        columns = set[str]()
        counted = self._count(self._noting(columns))
        if columns:
            self._mapping.check_columns(Counter(columns), self._path)
        return counted

    def _noting(self, columns: set[str]) -> Iterator[Row]:
        """Return the rows of JSON, which names no columns beforehand, and note those that are there."""
        rows = (self._noted(row, columns) for row in read_rows(self._path, self._mapping.layout))
        return self._that_count(rows)

    def _noted(self, row: Row, columns: set[str]) -> Row:
        columns.update(row.cells)
        return row

    def _count(self, rows: Iterator[Row]) -> tuple[int, set[str]]:
        count, seen, scattered = 0, set[str](), set[str]()
        last: str | None = None
        for row in rows:
            count += 1
            key = self._key(row)
            if key != last and key in seen:
                scattered.add(key)
            seen.add(key)
            last = key
        return count, scattered
