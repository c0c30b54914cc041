"""What the daemon's jobs do, and the single pass that does all of it once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from engine import daily, owning
from engine.backups import is_held as is_held
from engine.catalogue import with_current_catalogue
from engine.composing import Messenger, compose_due
from engine.erasing import Places, finish
from engine.evidence_keeping import remove_unclaimed
from engine.firing import Fired, fire_due
from engine.firing_grouped import Traces
from engine.inbox import InboxUnusable
from engine.operations import ERASE, KEPT, TIMERS, interrupted
from engine.owning import OwnershipLost
from engine.sending import Clock, Sender, Sent, recover
from engine.taking_in import Round, Taken, TakingIn
from engine.timer_commands import resume, settle_closures, settle_provisional
from jobs.clock import PlausibleClock, file_time
from storage import heartbeats, operations, outbox, timers, turns
from storage.database import Database, DatabaseFailed
from storage.files import FileStatus
from workflow.errors import AftersalesError
from workflow.plurals import counted
from workflow.policy.policy import Rules

_LOG = logging.getLogger("aftersales.jobs")

HEARTBEATS_KEPT = timedelta(days=30)
"""How long the heartbeat of a daemon is kept after its last tick."""

RECORDED_WITHIN_TRIES = 5
"""How often a single pass tries to record what became of a message; each try waits for a busy file as long as any writer."""
HELD = "the database was restored: nothing fires and nothing leaves until `aftersales observe end`"

CarryOn = Callable[[], bool]
"""Called between batches; False stops there, and the rest waits for the next run."""


def until_done() -> bool:
    """Carry on until nothing is left."""
    return True


@dataclass(frozen=True, slots=True)
class Renewed:
    """Settings and policy that have changed: what the jobs work on from then on, and a digest of the files they come from."""

    rules: Rules
    messenger: Messenger
    places: Places | None
    taking_in: TakingIn | None
    digest: str


@dataclass(slots=True)
class Runtime:
    """What the jobs work on. `rules` are renewed when the catalogue has changed, all but the database when settings have."""

    database: Database
    rules: Rules
    messenger: Messenger
    places: Places | None = None
    """Where buyers are kept besides the database; without it erasures are not finished."""
    taking_in: TakingIn | None = None
    """Takes in the files of the inbox, where there is one."""
    traces: Traces = field(default_factory=Traces)
    settings: str | None = None
    """A digest of the files that the settings come from."""
    reload: Callable[[], Renewed | None] | None = None
    """Returns what has changed of the settings since the last call; it raises AftersalesError if that cannot be used."""

    def renewed_rules(self) -> Rules:
        """Return the rules with the catalogue of now."""
        self.rules = with_current_catalogue(self.database, self.rules)
        return self.rules


def take_in_files(
    runtime: Runtime, owner: str, clock: Clock, *, looks_once: bool = False, carry_on: CarryOn = until_done
) -> Round:
    """Take in the files of the inbox that have come to rest, and say what became of them."""
    if runtime.taking_in is None:
        return Round()
    look = runtime.taking_in.round
    try:
        found = look(owner, clock, file_time(), runtime.renewed_rules, looks_once=looks_once, carry_on=carry_on)
    except (InboxUnusable, OSError) as error:
        found = Round(failures=[str(error)])
    for one in found.taken:
        level = logging.WARNING if one.status is FileStatus.rejected else logging.INFO
        _LOG.log(level, "%s: %s (%s)", one.name, one.words, one.place)
    return found


def fire_due_timers(runtime: Runtime, at: datetime, carry_on: CarryOn = until_done) -> Fired:
    """Fire everything that is due at `at`, batch by batch."""
    total = Fired()
    while True:
        fired = fire_due(runtime.database, at, runtime.renewed_rules(), traces=runtime.traces)
        total.add(fired)
        for failure in fired.failures:
            _LOG.error("%s", failure)
        if fired.count == 0 or not carry_on() or fired.next_wake is None or fired.next_wake > at:
            return total


def compose_messages(runtime: Runtime, at: datetime, carry_on: CarryOn = until_done) -> int:
    """Compose the messages of all effects that may leave at `at`; return how many effects that were."""
    total = 0
    while composed := compose_due(runtime.database, at, runtime.rules, runtime.messenger):
        total += composed
        if not carry_on():
            break
    return total


def write_daily_digests(runtime: Runtime, at: datetime) -> int:
    """Write to each merchant what needs them, once a day; return how many messages that were."""
    try:
        return daily.write_daily_digests(runtime.database, at, runtime.rules, runtime.messenger)
    except DatabaseFailed:
        raise
    except AftersalesError as error:
        _LOG.error("the daily digest could not be written: %s", error)
        return 0


def send_messages(sender: Sender, clock: Clock, carry_on: CarryOn = until_done) -> Sent:
    """Send every message whose (next) try is due, batch by batch."""
    total = Sent()
    while True:
        sent = sender.send_due(clock, carry_on)
        total = total.plus(sent)
        if sent == Sent() or not carry_on():
            sender.rest()
            return total


def run_maintenance(runtime: Runtime, at: datetime) -> None:
    """Recover messages of owners that have ended, finish interrupted work, delete old rows, let SQLite optimize itself."""
    recover(runtime.database, at)
    finish_operations(runtime, at)
    with runtime.database.write() as connection:
        turns.resume(connection, at)
        heartbeats.delete_ended(connection, at - HEARTBEATS_KEPT)
        operations.delete_ended(connection, at - KEPT)
    runtime.database.optimize()


def tidy_evidence(runtime: Runtime, at: datetime) -> None:
    """Remove files of evidence that no claim has: a process was killed between keeping and reporting them."""
    if runtime.places is None:
        return
    try:
        removed = remove_unclaimed(runtime.database, runtime.places.vault, at)
    except AftersalesError as error:
        _LOG.warning("the store of evidence could not be looked through: %s", error)
    else:
        if removed:
            _LOG.info("removed %s of evidence that no claim has", counted(removed, "file"))


def finish_operations(runtime: Runtime, at: datetime) -> None:
    """Go on with operations that were interrupted; one that fails is tried again with the next maintenance."""
    for one in interrupted(runtime.database, at):
        try:
            if one.kind == TIMERS:
                moved = resume(runtime.database, one, at, runtime.rules)
                _LOG.info("finished an interrupted command of %s: %s", one.by, counted(len(moved), "timer"))
            elif one.kind == ERASE and runtime.places:
                remains = finish(runtime.database, runtime.places, one, at, runtime.rules).remains
                _LOG.info("an interrupted erasure of %s: %s", one.by, remains or "finished")
        except AftersalesError as error:
            _LOG.warning("operation %s could not be finished: %s", one.id, error)


def on_startup(runtime: Runtime, at: datetime) -> None:
    """Recover messages of owners that have ended, and recompute deadlines of announced years and under new closures."""
    recover(runtime.database, at)
    if settled := settle_provisional(runtime.database, at, runtime.rules):
        _LOG.info("%s final now", counted(settled, "provisional deadline"))
    if moved := settle_closures(runtime.database, at, runtime.rules):
        _LOG.info("%s moved: the days on which suppliers are closed have changed", counted(moved, "deadline"))


def reload_settings(runtime: Runtime, owner: str, at: datetime) -> bool:
    """Work with the settings and the policy as they are now; what is wrong is refused whole. Say whether something is new."""
    if runtime.reload is None:
        return False
    try:
        renewed = runtime.reload()
    except DatabaseFailed:
        raise
    except AftersalesError as error:
        _LOG.error("the changed settings are refused, and all stays as it was: %s", error)
        _note_settings(runtime, owner, None, str(error)[:500])
        return False
    if renewed is None:
        return False
    before = runtime.rules.version
    runtime.rules, runtime.messenger, runtime.places = renewed.rules, renewed.messenger, renewed.places
    runtime.taking_in = renewed.taking_in
    on_startup(runtime, at)
    policy = f"; the policy is version {renewed.rules.version} now" if renewed.rules.version != before else ""
    _LOG.info("the settings have changed, and count from now on%s", policy)
    _note_settings(runtime, owner, renewed.digest, None)
    return True


def note_settings(runtime: Runtime, owner: str) -> None:
    """Note the settings that a daemon begins with."""
    if runtime.settings is not None:
        _note_settings(runtime, owner, runtime.settings, None)


def _note_settings(runtime: Runtime, owner: str, digest: str | None, refused: str | None) -> None:
    with runtime.database.write() as connection:
        heartbeats.note_settings(connection, owner, digest, refused)


def write_heartbeat(runtime: Runtime, owner: str, at: datetime, lateness_seconds: float) -> None:
    """Write the daemon's heartbeat, which `check` reads and which renews its lease.

    Raises:
        OwnershipLost: the owner was taken for dead.

    """
    with runtime.database.write() as connection:
        if not heartbeats.write(connection, owner, at, lateness_seconds, timers.backlog(connection, at)):
            raise OwnershipLost(owner)


def plausible_clock(runtime: Runtime, *, clock_is_right: bool = False) -> PlausibleClock:
    """Return the clock as it is held against what is recorded; a person who says that it is right is believed."""
    with runtime.database.read() as connection:
        last = None if clock_is_right else heartbeats.last_recorded(connection)
    return PlausibleClock(last, runtime.rules.policy.clock.longest_gap.span())


def next_wake(runtime: Runtime) -> datetime | None:
    """Return when the next timer is due."""
    with runtime.database.read() as connection:
        return timers.next_wake(connection)


def something_leaves(runtime: Runtime, at: datetime) -> bool:
    """Say whether an effect or a message waits to be sent at `at`."""
    with runtime.database.read() as connection:
        return outbox.something_leaves(connection, at)


def _record_all_the_same(sender: Sender, clock: Clock) -> None:
    """Try again to record what became of the last message; what is not recorded would count as unknown."""
    for _ in range(RECORDED_WITHIN_TRIES):
        try:
            sender.record(clock())
        except DatabaseFailed as error:
            _LOG.warning("trying again: %s", error)
        else:
            return


@dataclass(slots=True)
class Passed:
    """What single passes have done: the files that were taken in, and what was fired and sent."""

    taken: list[Taken] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)
    """Why files could not be taken in."""
    fired: Fired = field(default_factory=Fired)
    sent: Sent = field(default_factory=Sent)

    def add(self, other: "Passed") -> None:
        """Add what another pass has done."""
        self.taken += other.taken
        self.not_taken = other.not_taken
        self.fired.add(other.fired)
        self.sent = self.sent.plus(other.sent)


def single_pass(runtime: Runtime, owner: str, clock: Clock) -> Passed:
    """Run all jobs of the daemon once, under an owner, whose lease is renewed between batches.

    Files of the inbox come first: what they tell keeps clocks from firing.
    """

    def renewed() -> bool:
        with runtime.database.write() as connection:
            owning.renew(connection, owner, clock())
        return True

    on_startup(runtime, clock())
    if is_held(runtime.database):
        _LOG.warning(HELD)
        return Passed()
    taken = take_in_files(runtime, owner, clock, looks_once=True, carry_on=renewed)
    fired = fire_due_timers(runtime, clock(), renewed)
    write_daily_digests(runtime, clock())
    sender, sent = Sender(runtime.database, owner, runtime.rules, runtime.messenger), Sent()
    while True:  # what has left may let others go
        compose_messages(runtime, clock(), renewed)
        try:
            more = send_messages(sender, clock)
        except DatabaseFailed:
            _record_all_the_same(sender, clock)
            raise
        sent = sent.plus(more)
        if more == Sent():
            break
    run_maintenance(runtime, clock())
    tidy_evidence(runtime, clock())
    return Passed(taken.taken, taken.failures, fired, sent)


def passes_until(runtime: Runtime, owner: str, after: datetime, until: datetime, move_to: Callable[[datetime], None]) -> Passed:
    """Run a pass at every instant from `after` up to `until` at which something is due, and one at `until`.

    `move_to` moves the clock there before each.
    """
    passed = Passed()
    while True:
        at = _next_instant(runtime.database, after, until)
        after = at or until
        move_to(after)
        passed.add(single_pass(runtime, owner, partial(_stands_at, after)))
        if at is None or is_held(runtime.database):
            return passed


def _stands_at(moment: datetime) -> datetime:
    return moment


def _next_instant(database: Database, after: datetime, until: datetime) -> datetime | None:
    """Return the next instant, up to `until`, at which a timer is due or a message is to be tried; None if there is none."""
    with database.read() as connection:
        wakes = (timers.next_wake(connection), outbox.next_try(connection))
    at = min((wake for wake in wakes if wake is not None), default=None)
    return None if at is None or at > until else max(at, after)
