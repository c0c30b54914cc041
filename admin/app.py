"""The application put together from its settings: database, policy, channels; and who is at the keyboard, and when.

What only some commands need is imported where it is made: a list of orders is read without policy, mail and templates.
"""

import getpass
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
from tzlocal import get_localzone

from admin.tables import Cell
from admin.text import relative_time
from config.settings import Settings, load_settings, settings_file
from language import tr
from storage.database import Database, DatabaseUnready
from workflow.errors import UsageError
from workflow.suggestions import did_you_mean

CHANNELS_OF_PACKAGES = "aftersales.channels"
"""The group of entry points under which installed packages add channels."""

if TYPE_CHECKING:
    from effects.channel import Channel
    from effects.email import SmtpServer
    from engine.composing import Messenger
    from engine.erasing import Places
    from engine.inbox import Inbox, InboxRule
    from evidence.vault import Vault
    from jobs.passes import Runtime
    from workflow.policy.policy import Rules


class App:
    """The settings in force, and what is built from them when it is needed."""

    def __init__(self, ctx: click.Context) -> None:
        given = ctx.find_root().obj or {}
        self.settings = settings_of(ctx)
        self._given = given.get("config")
        self.config = settings_file(self._given, os.environ)
        self.database = Database(given.get("database") or self.settings.database)
        given["opened"] = self.database
        ctx.call_on_close(self.database.close)

    def reread_settings(self) -> Settings:
        """Return the settings as their file stands now.

        Raises:
            UsageError: they cannot be read.

        """
        return load_settings(self._given, os.environ)

    def ready(self) -> Database:
        """Return the database for use.

        Raises:
            DatabaseUnready: it is missing, or its tables are of another version.

        """
        self.database.require()
        return self.database

    def is_ready(self) -> bool:
        """Say whether the database is there, with the tables of this program."""
        try:
            self.ready()
        except DatabaseUnready:
            return False
        return True

    def made(self) -> Database:
        """Return the database for writing; a missing or empty one gets its tables.

        Raises:
            DatabaseUnready: its tables are of another version.

        """
        try:
            return self.ready()
        except DatabaseUnready:
            if self.database.exists() and not self._is_empty_file():
                raise
        from storage.schema import upgrade  # the migrations are slow to import, and seldom needed

        upgrade(self.database)
        return self.ready()

    def _is_empty_file(self) -> bool:
        """Say whether the making of its tables was interrupted."""
        return self.database.file is not None and self.database.schema() is None and not self.database.has_tables()

    def rules(self) -> "Rules":
        """Return the policy in force; a changed one is stored as a new version."""
        from engine.rules import rules_in_force

        return rules_in_force(self.database, self.settings.policy_text(), now())

    def rules_for_reading(self) -> "Rules":
        """Return the policy in force for a command that stores nothing."""
        from engine.rules import rules_for_reading

        return rules_for_reading(self.database, self.settings.policy_text())

    def runtime(self) -> "Runtime":
        """Return what the jobs work on."""
        from engine.taking_in import TakingIn
        from jobs.passes import Runtime

        database, inbox = self.ready(), self.inbox()
        taking_in = TakingIn(inbox, database) if inbox else None
        return Runtime(database, self.rules(), self.messenger(), self.places(), taking_in)

    def inbox(self) -> "Inbox | None":
        """Return the inbox, if the settings name one.

        Raises:
            UsageError: a mapping of it is neither a file nor a ready one.

        """
        from engine.inbox import Inbox, InboxRule
        from inbound.ready import named

        told = self.settings.inbox
        if told.folder is None:
            return None
        rules = [
            InboxRule(one.pattern, named(one.mapping) if one.mapping else None, one.supplier, one.shop, one.keep, one.observe)
            for one in told.files
        ]
        self._refuse_to_take_in_its_own(told.folder, rules)
        return Inbox(told.folder, tuple(rules), timedelta(seconds=told.at_rest_seconds), self.zone())

    def inbox_problems(self, inbox: "Inbox | None") -> list[str]:
        """Return what keeps files of the inbox from being taken in."""
        if inbox is None:
            return []
        from engine.taking_in import problems
        from jobs.clock import file_time

        return [*problems(inbox, file_time())]

    def _refuse_to_take_in_its_own(self, folder: Path, rules: Sequence["InboxRule"]) -> None:
        """Check that an inbox holds nothing of the program's own.

        Raises:
            UsageError: the settings, the database or something else would be taken in.

        """
        settings = self.settings
        own = (
            *(self.config, self.database.file, settings.policy, settings.templates),
            *(settings.outbox_file, None if "://" in settings.evidence else Path(settings.evidence)),
            *(rule.mapping for rule in rules),
        )
        for one in own:
            if one is not None and one.exists() and one.resolve().is_relative_to(folder.resolve()):
                told = tr(
                    "{path} lies in the inbox {folder}, and would be taken in: give [inbox] a folder of its own",
                    path=one,
                    folder=folder.resolve(),
                )
                raise UsageError(told)

    def messenger(self) -> "Messenger":
        """Return the channels and texts that messages leave by."""
        from time import monotonic

        from effects.email import EmailChannel
        from effects.file import FileChannel
        from effects.letters import Letters
        from effects.log import LogChannel
        from engine.composing import Messenger

        settings = self.settings
        channels: dict[str, Channel] = {
            "log": LogChannel(),
            "file": FileChannel(settings.outbox_file),
            "email": EmailChannel(self.smtp_server(), monotonic),
            **self._webhooks(),
            **self._chats(),
            **self._channels_of_packages(),
        }
        return Messenger(channels, Letters(settings.templates), self.zone(), self.vault())

    def smtp_server(self) -> "SmtpServer | None":
        """Return the SMTP server of the settings, if there is one."""
        from effects.email import SmtpServer

        smtp = self.settings.smtp
        return SmtpServer(**smtp.model_dump()) if smtp.host else None

    def _webhooks(self) -> "dict[str, Channel]":
        """Return the channels of webhooks.

        Raises:
            UsageError: an endpoint of the settings cannot be used.

        """
        if not self.settings.webhooks:
            return {}
        from time import monotonic, time

        from effects.webhook import BadEndpoint, Endpoint, WebhookChannel

        made: dict[str, Channel] = {}
        for name, told in self.settings.webhooks.items():
            try:
                made[f"webhook.{name}"] = WebhookChannel(Endpoint(**told.model_dump()), time, monotonic)
            except BadEndpoint as error:
                raise UsageError(tr("[webhooks.{name}] of the settings: {error}", name=name, error=error)) from None
        return made

    def _chats(self) -> "dict[str, Channel]":
        """Return the channels of chat services.

        Raises:
            UsageError: a service of the settings cannot be used.

        """
        if not self.settings.chats:
            return {}
        from effects.chat import BadService, ChatChannel

        made: dict[str, Channel] = {}
        for name, told in self.settings.chats.items():
            try:
                made[f"chat.{name}"] = ChatChannel(told.url)
            except BadService as error:
                raise UsageError(tr("[chats.{name}] of the settings: {error}", name=name, error=error)) from None
        return made

    def _channels_of_packages(self) -> "dict[str, Channel]":
        """Return the channels that installed packages add, as the settings name them.

        Raises:
            UsageError: no package adds that kind, or it cannot be set up so.

        """
        if not self.settings.channels:
            return {}
        from importlib.metadata import entry_points

        known = {one.name: one for one in entry_points(group=CHANNELS_OF_PACKAGES)}
        made: dict[str, Channel] = {}
        for kind, named in self.settings.channels.items():
            if kind not in known:
                hint = did_you_mean(kind, known) if known else ""
                raise UsageError(tr("[channels.{kind}]: no installed package adds such channels{hint}", kind=kind, hint=hint))
            for name, values in named.items():
                try:
                    made[f"{kind}.{name}"] = known[kind].load()(values)
                except Exception as error:  # whatever a package does
                    told = f"{type(error).__name__}: {error}"
                    raise UsageError(
                        tr("[channels.{kind}.{name}] cannot be set up: {error}", kind=kind, name=name, error=told)
                    ) from None
        return made

    def vault(self) -> "Vault":
        """Return where evidence is kept."""
        from evidence.vault import S3Access, Vault

        return Vault(self.settings.evidence, S3Access(**self.settings.s3.model_dump()))

    def places(self) -> "Places":
        """Return where buyers are kept besides the database."""
        from engine.erasing import Places

        return Places(self.vault(), self.settings.outbox_file)

    def zone(self) -> ZoneInfo:
        """Return the display time zone: of the settings, else the machine's own."""
        return zone_of(self.settings)

    def when(self, at: datetime | None, *, how_far: bool = True) -> str:
        """Write an instant for people: in their time zone, and how far off it is."""
        if at is None:
            return "-"
        written = f"{at.astimezone(self.zone()):%Y-%m-%d %H:%M:%S %Z}"
        return f"{written} ({relative_time(at - now())})" if how_far else written

    def stamp(self, at: datetime) -> Cell:
        """Write an instant for a table whose screen names the display time zone."""
        return Cell(f"{at.astimezone(self.zone()):%Y-%m-%d %H:%M:%S}", whole=True)

    def brief(self, at: datetime | None) -> str:
        """Write an instant for a table: to the minute, in the display time zone, and how far off it is."""
        return "-" if at is None else f"{at.astimezone(self.zone()):%Y-%m-%d %H:%M} ({relative_time(at - now())})"


def now() -> datetime:
    """Return the present instant: of the database's test clock if it has one, else of the machine's.

    Nothing below the commands and jobs reads the clock.
    """
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return datetime.now(UTC)
    known = ctx.find_root().obj or {}
    if "test_clock" not in known:
        from engine.trying import clock_of

        known["test_clock"] = clock_of(known.get("opened") or App(ctx).database)
    return known["test_clock"] or datetime.now(UTC)


def move_test_clock(ctx: click.Context, at: datetime) -> None:
    """Let the commands know that the test clock was moved."""
    ctx.find_root().obj["test_clock"] = at


def has_test_clock() -> bool:
    """Say whether the database of this command has a test clock."""
    now()
    ctx = click.get_current_context()
    return ctx.find_root().obj["test_clock"] is not None


def on_terminal() -> bool:
    """Say whether a person is there to be asked."""
    return sys.stdin.isatty()


def person() -> str:
    """Return who is at the keyboard, as history names people."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):  # a container whose user has no name
        return f"person:{os.getuid()}"


def zone_of(settings: Settings) -> ZoneInfo:
    """Return the time zone in which people read and write times.

    Raises:
        UsageError: the settings name none that exists.

    """
    try:
        return get_localzone() if settings.time_zone is None else ZoneInfo(settings.time_zone)
    except (ValueError, KeyError, OSError):
        named = settings.time_zone or os.environ.get("TZ")
        raise UsageError(tr("time_zone {named!r} is not a time zone: write one such as Asia/Shanghai", named=named)) from None


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings in force for a command."""
    return load_settings((ctx.find_root().obj or {}).get("config"), os.environ)
