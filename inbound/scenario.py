"""Scenarios: an order and what is reported of it, as a TOML file or as words of a command line."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.documents import read_document
from inbound import cells
from inbound.cells import BadCell
from inbound.mapping import LINE_FIELDS, ORDER_FIELDS
from inbound.times import read_instant
from language import tr
from workflow.case.case import Detail, Line, Order, Report
from workflow.errors import UsageError
from workflow.policy.calendars import WorkingCalendar
from workflow.policy.durations import Duration
from workflow.policy.policy import Orders
from workflow.reports import FIELDS
from workflow.suggestions import did_you_mean
from workflow.toml import parse

OF_PEOPLE = ("id", "group", "supplier_number", "sale", "buyer_name", "buyer_email", "buyer_address", "merchant_email")
"""Facts of an order in a file that nothing in a scenario depends on; its number is `number` here."""
ORDER = ("number", *(name for name in ORDER_FIELDS if name not in OF_PEOPLE))
TABLES = ("days", "order", "line", "report")


class ScenarioReader:
    """Reads scenarios whose instants are local to `zone`; without a placing date the order is placed at `now`."""

    def __init__(self, now: datetime, zone: ZoneInfo, defaults: Orders, calendar: WorkingCalendar) -> None:
        self._now, self._defaults, self._calendar = now, defaults, calendar
        self._instant = partial(read_instant, zone=zone)

    def order(self, facts: Mapping[str, Any]) -> Order:
        """Read an order.

        Raises:
            UsageError: a name is not one of an order's, or a value cannot be read.

        """
        _known("order", facts, ORDER)
        currency = self._read("order.currency", facts.get("currency", self._defaults.currency), cells.currency)
        readers = {
            **cells.ORDER_READERS,
            **dict.fromkeys(("placed_at", "ship_by"), partial(cells.instant, read=self._instant)),
            "paid": partial(cells.amount, code=currency),
            "number": cells.identity,
        }
        given = {name: self._read(f"order.{name}", value, readers.get(name, cells.text)) for name, value in facts.items()}
        usual = {"shop": "main", "number": "1", "placed_at": self._now, "route": self._defaults.route}
        return Order(**{**usual, "currency": currency, **given})

    def lines(self, tables: Iterable[Mapping[str, Any]], currency: str) -> tuple[Line, ...]:
        """Read the lines of an order."""
        readers = {"quantity": cells.count, **dict.fromkeys(("price", "sale"), partial(cells.amount, code=currency))}
        made = []
        for number, table in enumerate(tables, 1):
            _known(tr("line {number}", number=number), table, LINE_FIELDS)
            values = {
                n: self._read(tr("line {number}.{n}", number=number, n=n), value, readers.get(n, cells.text))
                for n, value in table.items()
            }
            made.append(Line(**values))
        return tuple(made)

    def report(self, trigger: str, when: str, fields: Mapping[str, Any], order: Order, number: int = 1) -> Report:
        """Read a report that comes `when`: an instant, or a duration after the placing such as 36h or 15wd."""
        where = tr("report {number} ({trigger})", number=number, trigger=trigger)
        triggers = [name for name in FIELDS if name != "place"]
        if trigger not in triggers:
            raise UsageError(
                tr(
                    "report {number}: {trigger!r} is not a report{hint}",
                    number=number,
                    trigger=trigger,
                    hint=did_you_mean(trigger, triggers),
                )
            )
        _known(where, fields, FIELDS[trigger])
        said: dict[str, Detail] = {}
        for name, known in FIELDS[trigger].items():
            if known.required and name not in fields:
                raise UsageError(tr("{where} needs its {name}: {help}", where=where, name=name, help=tr(known.help)))
            if name in fields:
                read = partial(cells.report_field, known, code=order.currency, read=self._instant)
                said[name] = self._read(f"{where}.{name}", fields[name], read)
        return Report(trigger, self._when(where, when, order), "scenario", f"{number}", "scenario", said)

    def words(self, text: str, order: Order, number: int) -> Report:
        """Read a report from one text: "open_claim@12d kind=damaged lines=1:2"."""
        head, *rest = text.split() or [""]
        trigger, at, when = head.partition("@")
        if not at or not all("=" in one for one in rest):
            raise UsageError(
                tr("{given!r} is not a report: write TRIGGER@AFTER FIELD=VALUE …, as 'open_claim@12d kind=damaged'", given=text)
            )
        fields = dict(one.split("=", 1) for one in rest)
        return self.report(trigger, when, fields, order, number)

    def file(self, path: Path, instead: Mapping[str, Any]) -> tuple[Order, tuple[Line, ...], tuple[Report, ...], int | None]:
        """Read a scenario file: its order (with `instead` in place of what it says), lines and reports, and its days."""
        text = read_document(path)
        try:
            return self._scenario(parse(text), instead)
        except (UsageError, ValueError) as error:
            raise UsageError(f"{path}: {error}") from None

    def _scenario(
        self, table: dict[str, Any], instead: Mapping[str, Any]
    ) -> tuple[Order, tuple[Line, ...], tuple[Report, ...], int | None]:
        _known("a scenario", table, TABLES)
        order = self.order({**_table("order", table.get("order", {})), **instead})
        lines = self.lines(_tables("line", table.get("line", [])), order.currency)
        reports = []
        for number, one in enumerate(_tables("report", table.get("report", [])), 1):
            fields = dict(one)
            trigger, when = fields.pop("trigger", None), fields.pop("after", None) or fields.pop("at", None)
            if trigger is None or when is None:
                raise UsageError(
                    tr(
                        "report {number} must say its trigger, and after what time (or at which instant) it comes",
                        number=number,
                    )
                )
            reports.append(self.report(str(trigger), str(when), fields, order, number))
        days = table.get("days")
        if days is not None and (not isinstance(days, int) or not 1 <= days <= 3_650):
            raise UsageError(tr("days must be a whole number from 1 to 3650"))
        return order, lines, tuple(reports), days

    def _when(self, where: str, when: str, order: Order) -> datetime:
        try:
            return Duration.parse(when).after(order.placed_at, self._calendar)
        except ValueError:
            if len(when) < 8:
                raise UsageError(
                    tr("{where}: {when!r} is not a time: write 36h, 3d, 15wd or an instant", where=where, when=when)
                ) from None
            at: datetime = self._read(tr("{where} after", where=where), when, partial(cells.instant, read=self._instant))
            return at

    def _read(self, where: str, value: Any, read: Any) -> Any:
        written = [str(one) for one in value] if isinstance(value, list) else str(value)
        try:
            return read(written)
        except BadCell as bad:
            raise UsageError(f"{where} {bad}") from None


def _known(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(
                tr("{where}: {name!r} is not known there{hint}", where=where, name=name, hint=did_you_mean(name, known))
            )


def _table(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(tr("[{name}] must be a table", name=name))
    return value


def _tables(name: str, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise UsageError(tr("write each {name} as [[{name}]]", name=name))
    return [_table(name, one) for one in value]
