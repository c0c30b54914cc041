"""check: settings, policy, calendar, database and daemon."""

from collections.abc import Iterator
from datetime import timedelta

import click

from admin.app import App, has_test_clock, now
from admin.output import iso, print_json, print_wrapped
from admin.settings_digest import digest_of
from admin.tables import padded
from admin.text import safe
from effects.letters import Letters
from engine.evidence_keeping import compare
from engine.health import RESTORE, Health, health
from engine.inbox_files import open_files
from evidence.vault import VaultFailed
from jobs.clock import PlausibleClock, file_time
from language import counted, tr
from workflow.errors import AftersalesError
from workflow.policy.policy import calendar_of

Finding = tuple[str, str, str]
"""Stable id, "error", "warning" or "info", and the sentence."""

COUNTED = 10_000
"""So many rejected files are counted."""
WAITS_LONG = timedelta(minutes=10)
LOOKED_THROUGH_BYTES = 500_000_000
"""A larger file takes more than some seconds to be looked through."""
AHEAD_OF_NOW = timedelta(minutes=5)
"""What was recorded so far ahead of the clock was recorded under another one."""
CHECKS = {
    "A001": "The settings cannot be read.",
    "A002": "The policy cannot be read.",
    "A003": "The database is missing, cannot be reached, or its tables are of another version.",
    "A004": "A daemon writes no heartbeat any more.",
    "A005": "A text of an effect is missing in a language, cannot be filled in, or speaks of what no letter has.",
    "A011": "Working days of the next weeks are not announced: deadlines there are provisional.",
    "A012": "No message leaves this machine.",
    "A013": "The policy sends email, and no SMTP server is set up.",
    "A014": "No daemon is running.",
    "A015": "Timers are overdue.",
    "A016": "Timers could not be fired and are set aside.",
    "A017": "Effects could not be delivered, or it is not known whether they were.",
    "A018": "Effects await a decision.",
    "A019": "Orders need a person.",
    "A021": "Effects or messages should have left more than ten minutes ago.",
    "A022": "Work in several places was interrupted, and is to be finished.",
    "A023": "Files of evidence that a claim has are missing, or no claim has them.",
    "A024": "The database was restored, and fires and sends nothing until a person goes live.",
    "A025": "The database file is damaged, or too large to be looked through without --deep.",
    "A026": "The server is reached through a pooler in transaction mode.",
    "A027": "This machine's clock and what was recorded do not fit.",
    "A028": "Steps wait for a decision of yours.",
    "A029": "Files of the inbox cannot be taken in, or wait for long.",
    "A030": "Files of the inbox were rejected.",
    "A031": "A text of your own is there in one language and not in the other.",
    "A032": "The policy sends through a channel that is not set up.",
    "A034": "The daemon works with other settings than the files have now, or has refused them.",
    "A033": "Messages could not be sent so far, and are tried again.",
    "A020": "How many rows there are, and how much room they take.",
}
"""What each finding is about; scripts may rely on the ids."""
LEVELS = ("error", "warning", "info")


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.option("--deep", is_flag=True, help="Look a large database file through as well")
@click.option("--mail", "address", help="Send a test mail to this address, and say at which step it fails")
@click.pass_context
def check_command(ctx: click.Context, as_json: bool, deep: bool, address: str | None) -> None:
    """Check settings, policy, calendar, database and daemon; an error makes the exit code 1."""
    if address is not None:
        from admin.trial_mail import try_mail  # it brings the mail library along

        ctx.exit(0 if try_mail(App(ctx), address, as_json=as_json) else 1)
    found = [*_findings(ctx, deep)]
    assert CHECKS.keys() >= {key for key, _, _ in found}
    if as_json:
        print_json([{"id": key, "level": level, "message": text} for key, level, text in found])
    else:
        for key, level, text in found:
            print_wrapped(f"{padded(tr(level), 7)} {key}  {safe(text)}")
        print_wrapped(
            tr(
                "{errors}, {warnings}",
                errors=counted(sum((level == "error" for _, level, _ in found)), "error"),
                warnings=counted(sum((level == "warning" for _, level, _ in found)), "warning"),
            )
        )
    ctx.exit(1 if any(level == "error" for _, level, _ in found) else 0)


def _findings(ctx: click.Context, deep: bool) -> Iterator[Finding]:
    try:
        app = App(ctx)
        app.zone()
    except AftersalesError as error:
        yield "A001", "error", str(error)
        return
    letters = Letters(app.settings.templates)
    yield from (("A005", "error", problem) for problem in letters.problems())
    yield from (("A031", "warning", gap) for gap in letters.gaps())
    yield from _policy_findings(app)
    try:
        app.ready()
        found = health(app.database, now())
    except AftersalesError as error:
        damaged = [one for one in _damage_findings(app, deep) if one[1] == "error"]
        yield from damaged or [("A003", "error", str(error))]
        return
    try:
        app.database.refuse_pooler()
    except AftersalesError as error:
        yield "A026", "error", str(error)
    yield from _damage_findings(app, deep)
    yield from _clock_findings(app, found)
    yield from _daemon_findings(app, found)
    yield from _work_findings(found)
    yield from _operation_findings(found)
    yield from _evidence_findings(app)
    yield from _inbox_findings(app)
    yield _size_finding(app, found)


def _inbox_findings(app: App) -> Iterator[Finding]:
    try:
        inbox = app.inbox()
    except AftersalesError as error:
        yield "A029", "error", str(error)
        return
    if rejected := open_files(app.database, COUNTED):
        files = counted(len(rejected), "file was", "files were")
        yield "A030", "warning", tr("{files} rejected, whole or in part: aftersales inbox --status rejected", files=files)
    if inbox is None:
        return
    yield from (("A029", "error", problem) for problem in app.inbox_problems(inbox))
    if not inbox.folder.is_dir():
        return
    late = file_time() - WAITS_LONG.total_seconds()
    if waits := sum(one.changed_at < late for one in inbox.waiting(file_time())):
        files = counted(waits, "file has", "files have")
        told = tr("{files} been waiting in {folder} for more than ten minutes", files=files, folder=inbox.folder)
        yield "A029", "warning", told


def _policy_findings(app: App) -> Iterator[Finding]:
    try:
        policy = app.settings.read_policy()
    except AftersalesError as error:
        yield "A002", "error", str(error)
        return
    soon = now() + timedelta(days=60)
    if calendar_of(policy).is_provisional(now(), soon):
        yield (
            "A011",
            "warning",
            tr("the working days of {year} are not announced yet: deadlines there are provisional", year=soon.year),
        )
    used = policy.used_channels
    if used == {"log"}:
        yield "A012", "warning", tr("no message leaves this machine: all channels of the policy are 'log'")
    if "email" in used and app.settings.smtp.host is None:
        yield "A013", "error", tr("the policy sends email and no SMTP server is set up: set [smtp] host")
    try:
        known = app.messenger().channels
    except AftersalesError as error:
        yield "A001", "error", str(error)
        return
    for name in sorted(used - known.keys()):
        kind, _, own = name.partition(".")
        table = f"{kind}s.{own}" if kind in ("webhook", "chat") else f"channels.{name}"
        yield "A032", "error", tr("the policy sends through {name}, and the settings have no [{table}]", name=name, table=table)


def _daemon_findings(app: App, found: Health) -> Iterator[Finding]:
    beat = found.heartbeat
    if has_test_clock():
        yield "A014", "info", tr("the database has a test clock: `aftersales once --until INSTANT` moves it")
    elif beat is None or beat.stopped_at:
        yield "A014", "warning", tr("no daemon is running: `aftersales run`, or `aftersales once` from cron")
    elif now() - beat.last_tick > timedelta(seconds=60):
        yield (
            "A004",
            "error",
            tr("daemon {daemon} has written no heartbeat since {last_tick}", daemon=beat.daemon, last_tick=iso(beat.last_tick)),
        )
    elif beat.refused:
        yield "A034", "error", tr("the daemon has refused the settings as they are now: {why}", why=beat.refused)
    elif beat.settings is not None and beat.settings != digest_of(app):
        yield "A034", "warning", tr("the daemon works with other settings than these files have: it reads them every 5 seconds")
    if found.overdue:
        yield "A015", "warning", tr("{timers} overdue for more than 30 seconds", timers=counted(found.overdue, "timer"))


def _work_findings(found: Health) -> Iterator[Finding]:
    counts = found.counts
    if counts["timers"].get("failed"):
        yield (
            "A016",
            "warning",
            tr(
                "{timers} set aside after failing: aftersales timers --status failed",
                timers=counted(counts["timers"]["failed"], "timer"),
            ),
        )
    yield from _unsent_findings(found)
    for status in ("dead", "parked"):
        if counts["effects"].get(status):
            yield (
                "A017",
                "warning",
                tr(
                    "{effects} {status}: aftersales effects --status {status}",
                    effects=counted(counts["effects"][status], "effect"),
                    status=status,
                ),
            )
    for status, then in (("held", tr("; to go live, aftersales observe end")), ("asked", "")):
        if count := counts["effects"].get(status):
            what = tr(
                "{effects} awaiting a decision: aftersales effects --status {status}",
                effects=counted(count, "effect"),
                status=status,
            )
            yield "A018", "warning", f"{what}{then}"
    if standing := counts["decisions"].get("standing"):
        yield (
            "A028",
            "warning",
            tr(
                "{steps} waiting for a decision: aftersales decisions (those that sleep: --sleeping)",
                steps=counted(standing, "step"),
            ),
        )
    if counts["attention"]:
        yield (
            "A019",
            "warning",
            tr("{flags} for a person: aftersales orders --attention", flags=counted(sum(counts["attention"].values()), "flag")),
        )


_CARRIED = "--status written --status leaving"


def _unsent_findings(found: Health) -> Iterator[Finding]:
    unsent = found.unsent
    waits = tr("for more than ten minutes")
    if unsent.effects:
        yield (
            "A021",
            "warning",
            tr(
                "{effects} ready {waits}: aftersales effects --status ready",
                effects=counted(unsent.effects, "effect"),
                waits=waits,
            ),
        )
    if unsent.messages:
        yield (
            "A021",
            "warning",
            tr(
                "{messages} due {waits}: aftersales effects {carried}",
                messages=counted(unsent.messages, "message"),
                waits=waits,
                carried=_CARRIED,
            ),
        )
    for one in found.failing:
        messages = counted(one.count, "message")
        yield (
            "A033",
            "warning",
            tr(
                "{messages} could not be sent by {channel} so far: {error}",
                messages=messages,
                channel=one.channel,
                error=one.error,
            ),
        )
    if unsent.carried:
        yield (
            "A021",
            "warning",
            tr(
                "{effects} leaving whose messages have all ended: aftersales effects {carried}",
                effects=counted(unsent.carried, "effect"),
                carried=_CARRIED,
            ),
        )


def _damage_findings(app: App, deep: bool) -> Iterator[Finding]:
    if app.database.file is None or not app.database.file.is_file():
        return
    size = app.database.file.stat().st_size
    if size > LOOKED_THROUGH_BYTES and not deep:
        yield (
            "A025",
            "info",
            tr("the file of {size:,.0f} MB was not looked through for damage: check --deep does", size=size / 1000000),
        )
        return
    try:
        problem = app.database.damage()
    except AftersalesError as error:
        problem = str(error)
    if problem:
        yield (
            "A025",
            "error",
            tr("the database file is damaged ({problem}): stop the daemon, and restore a backup", problem=problem),
        )


def _clock_findings(app: App, found: Health) -> Iterator[Finding]:
    if found.last_recorded is None or has_test_clock():
        return
    gap = app.rules_for_reading().policy.clock.longest_gap.span()
    if why := PlausibleClock(found.last_recorded, gap).why_not(now()):
        yield "A027", "error", why
    elif found.last_recorded - now() > AHEAD_OF_NOW:
        recorded = iso(found.last_recorded)
        yield (
            "A027",
            "warning",
            tr(
                "things were recorded at {recorded}, which is ahead of this machine's clock: is it set right?",
                recorded=recorded,
            ),
        )


def _operation_findings(found: Health) -> Iterator[Finding]:
    for one in found.operations:
        if one.kind == RESTORE:
            yield (
                "A024",
                "warning",
                tr(
                    "restored by {by} at {begun_at}, and held since: aftersales observe end",
                    by=one.by,
                    begun_at=iso(one.begun_at),
                ),
            )
        elif one.interrupted:
            what = tr(
                "{kind} {id}, begun by {by} at {begun_at}, was interrupted",
                kind=one.kind,
                id=one.id,
                by=one.by,
                begun_at=iso(one.begun_at),
            )
            yield "A022", "warning", tr("{what}: a daemon finishes it, or `aftersales once`", what=what)


def _evidence_findings(app: App) -> Iterator[Finding]:
    vault = app.vault()
    if vault.folder is None:
        return  # to list a remote store takes long; the daemon does it once a day
    try:
        found = compare(app.database, vault, now())
    except VaultFailed as error:
        yield "A023", "error", str(error)
        return
    if found.missing:
        named = ", ".join(sorted(sha256[:12] for sha256 in found.missing)[:3])
        more = ", …" if len(found.missing) > 3 else ""
        yield (
            "A023",
            "error",
            tr(
                "{files} of evidence missing from {location}: {named}{more}",
                files=counted(len(found.missing), "file"),
                location=vault.location,
                named=named,
                more=more,
            ),
        )
    if found.unclaimed:
        yield (
            "A023",
            "warning",
            tr("{files} of evidence that no claim has: a daemon removes them", files=counted(len(found.unclaimed), "file")),
        )


def _size_finding(app: App, found: Health) -> Finding:
    about = tr("about ") if app.database.is_shared else ""
    told = ", ".join(f"{name} {count:,}" for name, count in found.rows.items())
    return (
        "A020",
        "info",
        tr("{bytes_used:,.1f} MB; {about}rows: {told}", bytes_used=found.bytes_used / 1000000, about=about, told=told),
    )
