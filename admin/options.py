"""Options and argument types that several commands share."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from admin.app import (
    now,
    settings_of,
    zone_of,
)
from admin.plans import shown_at
from inbound.times import BadInstant, read_instant
from language import tr
from workflow.policy.durations import Duration
from workflow.suggestions import nearest

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON")


class RowId(click.ParamType[int]):
    """The id of a row, as lists show it."""

    name = "ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number from 1 to the highest that a database holds."""
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) < 2**63):
            self.fail(tr("{given!r} is not an id: write a number, as the list shows it", given=text), param, ctx)
        return int(text)


ROW = RowId()


class Instant(click.ParamType[datetime]):
    """An option that takes an instant; without a zone it is in the display time zone."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the instant."""
        if isinstance(value, datetime):
            return value
        assert ctx is not None, "options are read inside a command"
        try:
            return read_instant(value.strip(), zone_of(settings_of(ctx)))
        except BadInstant as error:
            self.fail(str(error), param, ctx)


class InstantOrDuration(Instant):
    """An option that takes an instant, or how far it lies ahead: 2d, 36h, 30m."""

    name = "instant or duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the instant or the duration."""
        if isinstance(value, str) and len(value) < 8:
            try:
                return (shown_at(ctx) if ctx else now()) + Duration.parse(value.strip()).span()
            except (ValueError, OverflowError):
                self.fail(
                    tr(
                        "{value!r} is neither an instant nor how far it lies ahead: write 2d, 36h, 30m or an instant",
                        value=value,
                    ),
                    param,
                    ctx,
                )
        return super().convert(value, param, ctx)


class Zone(click.ParamType[ZoneInfo]):
    """A time zone by its name."""

    name = "ZONE"

    def convert(self, value: str | ZoneInfo, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """Return the zone."""
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (ValueError, KeyError, OSError):
            self.fail(tr("{value!r} is not a time zone: write one such as Asia/Shanghai", value=value), param, ctx)


class Choice(click.Choice[str]):
    """One of some words; a mistyped one is told the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return what is wrong with a value."""
        near = nearest(str(value), map(str, self.choices))
        said = super().get_invalid_choice_message(value, ctx)
        return f"{said} {tr('Did you mean {near}?', near=near)}" if near else said


class Note(click.ParamType[str]):
    """An argument that says what was done; it is kept, so it must say something."""

    name = "word"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the word."""
        word = str(value).strip()
        if not word:
            self.fail(tr("say what was done"), param, ctx)
        return word
