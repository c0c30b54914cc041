"""Everything put together from the settings, and the words and tables that commands share."""

import getpass
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tzlocal import get_localzone

from admin.plain import counted, safe
from config.settings import Settings, load_settings
from effects.channel import Channel
from effects.email import EmailChannel, SmtpServer
from effects.file import FileChannel
from effects.letters import Letters
from effects.log import LogChannel
from engine.delivery import PostOffice
from inbound.times import BadInstant, read_instant
from jobs.tick import Workplace
from storage.database import Database
from storage.policies import version_of
from workflow.durations import Duration
from workflow.errors import UsageError
from workflow.policy import Rules, calendar_of, read_policy


class Office:
    """The settings in force, and what is built from them when it is needed."""

    def __init__(self, ctx: click.Context) -> None:
        given = ctx.find_root().obj or {}
        self.settings = settings_of(ctx)
        self.database = Database(given.get("database") or self.settings.database)
        ctx.call_on_close(self.database.close)

    def ready(self) -> Database:
        """Return the database for use.

        Raises:
            DatabaseUnready: it is missing, or its tables are of another version.

        """
        self.database.require()
        return self.database

    def made(self) -> Database:
        """Return the database for writing; a missing SQLite file is made.

        Raises:
            DatabaseUnready: its tables are of another version.

        """
        if not self.database.exists():
            from storage.schema import upgrade  # the migrations are slow to import, and seldom needed

            upgrade(self.database)
        return self.ready()

    def rules(self) -> Rules:
        """Return the policy in force, pinned to its version in the database."""
        text = self.settings.policy_text()
        policy = read_policy(text)
        with self.database.write() as connection:
            return Rules(version_of(connection, text, now()), policy, calendar_of(policy))

    def workplace(self) -> Workplace:
        """Return what the jobs work on."""
        settings = self.settings
        smtp = settings.smtp
        server = SmtpServer(smtp.host, smtp.port, smtp.sender, smtp.user, smtp.password, smtp.security) if smtp.host else None
        channels: dict[str, Channel] = {
            "log": LogChannel(),
            "file": FileChannel(settings.outbox_file),
            "email": EmailChannel(server),
        }
        return Workplace(self.ready(), self.rules(), PostOffice(channels, Letters(settings.templates)))

    def zone(self) -> ZoneInfo:
        """Return the time zone of people's eyes: of the settings, else the machine's own."""
        return zone_of(self.settings)

    def when(self, at: datetime | None, *, how_far: bool = True) -> str:
        """Write an instant for people: in their time zone, and how far off it is."""
        if at is None:
            return "-"
        written = f"{at.astimezone(self.zone()):%Y-%m-%d %H:%M:%S %Z}"
        return f"{written} ({far(at - now())})" if how_far else written

    def brief(self, at: datetime | None) -> str:
        """Write an instant for a table: to the minute, in people's time zone, and how far off it is."""
        return "-" if at is None else f"{at.astimezone(self.zone()):%Y-%m-%d %H:%M} ({far(at - now())})"


_LONG = timedelta(days=2)


def far(span: timedelta) -> str:
    """Write how far off an instant is, rounded down: "in 8 days", "in 1 day 14 hours", "20 minutes ago"."""
    seconds = abs(int(span.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if seconds >= _LONG.total_seconds():
        written = counted(days, "day")
    elif days:
        written = f"1 day {counted(hours, 'hour')}"
    elif hours:
        written = f"{counted(hours, 'hour')} {minutes} min"
    else:
        written = f"{minutes} min" if minutes else f"{seconds} s"
    return f"in {written}" if span > timedelta(0) else f"{written} ago"


def say(line: str) -> None:
    """Print a sentence, broken between words where the terminal ends."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    start = "" if not line.startswith(" ") else " " * (len(line) - len(line.lstrip()))
    click.echo(textwrap.fill(line, max(width, 40), subsequent_indent=f"{start}  ") if width else line)


def now() -> datetime:
    """Return the present instant; nothing below the commands and jobs reads the clock."""
    return datetime.now(UTC)


def person() -> str:
    """Return who is at the keyboard, as history names people."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):  # a container whose user has no name
        return f"person:{os.getuid()}"


def console() -> Console:
    """Return a console that fits the terminal and colours only there."""
    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


def print_json(value: Any) -> None:
    """Print JSON with instants as ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or a sentence when there is nothing to show."""
    if not rows:
        click.echo(empty)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("-" if value is None else escape(safe(str(value))) for value in row))
    console().print(table)


def refuse_existing(target: Path) -> None:
    """Refuse to write over a file.

    Raises:
        UsageError: there is one by that name.

    """
    if target.exists():
        raise UsageError(f"{target} exists already: name a file that does not")


@contextmanager
def new_file(target: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Open a file that does not exist yet for writing; by default its owner alone can read it.

    Raises:
        UsageError: it cannot be made or written.

    """
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None


def vars_of(value: object) -> dict[str, object]:
    """Return the fields of a value."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]


def say_if_cut(found: Sequence[Any], limit: int) -> None:
    """Say that a list may go on behind its end."""
    if len(found) == limit:
        click.echo(f"The first {limit} are shown: --limit {limit * 10} shows more.")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, StrEnum):
        return str(value)
    raise TypeError(type(value))


def iso(at: datetime) -> str:
    """Write an instant as 2019-01-01T00:00:00Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def zone_of(settings: Settings) -> ZoneInfo:
    """Return the time zone in which people read and write times.

    Raises:
        UsageError: the settings name none that exists.

    """
    try:
        return get_localzone() if settings.time_zone is None else ZoneInfo(settings.time_zone)
    except (ValueError, KeyError, OSError):
        named = settings.time_zone or os.environ.get("TZ")
        raise UsageError(f"time_zone {named!r} is not a time zone: write one such as Asia/Shanghai") from None


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings in force for a command."""
    return load_settings((ctx.find_root().obj or {}).get("config"), os.environ)


class Instant(click.ParamType[datetime]):
    """An option that takes an instant; without a zone it is a time of people's time zone."""

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


class Ahead(Instant):
    """An option that takes an instant, or how far it lies ahead: 2d, 36h, 30m."""

    name = "instant or duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the instant or the duration."""
        if isinstance(value, str) and len(value) < 8:
            try:
                return now() + Duration.parse(value.strip()).span()
            except (ValueError, OverflowError):
                self.fail(
                    f"{value!r} is neither an instant nor how far it lies ahead: write 2d, 36h, 30m or an instant", param, ctx
                )
        return super().convert(value, param, ctx)


class Word(click.ParamType[str]):
    """An argument that says what was done; it is kept, so it must say something."""

    name = "word"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the word."""
        word = str(value).strip()
        if not word:
            self.fail("say what was done", param, ctx)
        return word
