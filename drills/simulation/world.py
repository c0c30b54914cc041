"""A simulated shop: one database, a virtual clock, several processes, and the engine's own code for all that happens."""

import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import select, text

from drills.simulation import moves
from drills.simulation.faults import Databases, Killed, Process
from drills.simulation.moves import Bought, Happens
from drills.simulation.sink import Sink
from effects.letters import Letters
from engine import answering, operations, owning, timer_commands, undoing
from engine.composing import Messenger, compose_due
from engine.deciding import DECIDABLE, ChosenEffect, EffectAction, close_exception, decide_effects, resolve
from engine.erasing import BuyerSelection, Places, erase, find
from engine.firing import fire_due
from engine.importing import import_orders
from engine.known_orders import StoredOrders
from engine.outcomes import Arrival
from engine.owning import owned
from engine.processes import Process as Identity
from engine.reporting import apply
from engine.rules import rules_in_force
from engine.sending import Sender
from engine.timer_commands import Selection, TimerCommand, apply_command
from evidence.vault import S3Access, Vault
from inbound.mapping import own_mapping
from inbound.orders import OrderFile
from jobs.passes import Runtime, plausible_clock, single_pass
from storage import lists
from storage.database import Database
from storage.lists import Filter
from storage.tables import MessageRow, table_of
from workflow import decisions as answers
from workflow.case.case import Line, Order, Report
from workflow.errors import AftersalesError
from workflow.intake import Received
from workflow.vocabulary import Verdict, Way

START = datetime(2025, 3, 3, 9, tzinfo=UTC)
PROCESSES = 3
COLUMNS = "id,placed_at,supplier,alternatives,route,currency,paid,sku,quantity,buyer_name,buyer_email"
POLICIES = (
    "[effects]\ndefault_channels = ['file', 'log']\n",
    "[effects]\ndefault_channels = ['file']\n[overdue]\nurge_after = '3d'\n"
    "[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\nplace_reissue = 'ask'\n",
    "[effects]\ndefault_channels = ['file']\n[effects.modes]\nurge_supplier = 'ask'\nrecover_supply = 'off'\n"
    "[supply]\nno_stock = 'refund'\n",
)
LETTERS = Letters()


class Broken(AssertionError):
    """A promise was broken; the message says which, and how."""


@dataclass(frozen=True, slots=True)
class Told:
    """A report that somebody made, and what was acknowledged of it."""

    number: str
    report: Report
    verdict: Verdict | None


class World:
    """One shop, until it is closed."""

    def __init__(self, seed: int, folder: Path, databases: Databases) -> None:
        self.folder, self.now = folder, START
        self.gate = databases.fresh(self.let_pass)
        self.look = databases.look
        """Sees everything, and is struck by nothing."""
        self._databases = databases.of
        self._lives = [0] * PROCESSES
        self.sink = Sink(self.gate, self._why_not_leave)
        self.told: list[Told] = []
        self.erased: list[str] = []
        self.refused = 0
        """How many wishes were turned down."""
        self.named: set[str] = set()
        """The names of commands on timers."""
        self._tokens = random.Random(f"tokens {seed}")
        self._current = 0
        self.rules = rules_in_force(self.look, POLICIES[0], START)

    @contextmanager
    def opened(self) -> Iterator["World"]:
        """Let ids come from the seed, and processes be those of the simulation."""
        with (
            patch.object(secrets, "token_hex", lambda size=16: self._tokens.randbytes(size).hex()),
            patch.object(timer_commands, "BATCH", 2),  # a shop of a few orders has commands of several batches too
            patch.object(owning, "this_process", self._identity),
            patch.object(operations, "this_process", self._identity),
            patch.object(owning, "counts_as_ended", self._counts_as_ended),
            patch.object(operations, "counts_as_ended", self._counts_as_ended),
        ):
            yield self

    def let_pass(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def run(self, move: Happens) -> None:
        """Let something happen, whatever strikes it.

        Raises:
            Broken: an error came out that is none of those that people are told.

        """
        self.let_pass(move.hours * 3600)
        before, self._current = self._current, move.process
        meanwhile = move.meanwhile and (move.meanwhile[0], self._later(move.meanwhile[1]))
        process, failed = Process(move.fault, meanwhile), False
        try:
            with self.gate.process(process):
                _DO[type(move.what)](self, move.what)
        except Killed:
            pass
        except AftersalesError:
            self.refused += 1
            failed = True
        except Broken:
            raise
        except Exception as error:
            raise Broken(f"{type(error).__name__} came out of {moves.written(move)}: {error}") from error
        finally:
            if process.is_dead or failed or not isinstance(move.what, _DAEMONS):  # a command's process ends with it
                self._lives[move.process] += 1
            if process.is_dead:
                self._databases[move.process].close()
            self._current = before

    def _later(self, move: Happens) -> Callable[[], None]:
        return lambda: self.run(move)

    @property
    def database(self) -> Database:
        """The database of the process that runs."""
        return self._databases[self._current]

    def clock(self) -> datetime:
        """Return the instant by the clock of the shop."""
        return self.now

    # --- processes ---

    def _identity(self) -> Identity:
        here = self._current
        return Identity(f"machine {here % 2}", "boot", "pids", 100 + here, f"{here}.{self._lives[here]}")

    def _counts_as_ended(self, process: Identity, silent: timedelta, patience: timedelta, *, shared: bool) -> bool:
        number, life = map(int, process.started.split("."))
        if shared and process.host != self._identity().host:
            return silent > patience  # it cannot be seen from here
        return self._lives[number] != life  # one that was not killed lives on after its moves, as daemons do

    def _why_not_leave(self, key: str) -> str | None:
        """Say why the message with this key must not leave now: it is not being sent, or all that it carries was dropped."""
        with self.look.read() as connection:
            status = connection.execute(text("SELECT status FROM messages WHERE key = :key"), {"key": key}).scalar()
        return None if status == "sending" else f"it left while it was {status}"

    # --- what happens ---

    def _place(self, what: moves.Place) -> None:
        reports: dict[str, list[Report]] = {}
        for one in what.reports:
            reports.setdefault(one.number, []).append(self._report(one, "import:orders.csv"))
        arrivals = [self._arrival(one, reports.get(one.number, [])) for one in what.orders]
        apply(self.database, arrivals, self.now, self.rules, observed=what.observed)
        for number, some in reports.items():
            self.told += [Told(number, one, None) for one in some]

    def _arrival(self, bought: Bought, reports: list[Report]) -> Arrival:
        at = self.now.replace(microsecond=0) - timedelta(minutes=5)
        placing = Report("place", at, "orders.csv", "place", "import:orders.csv")
        order = Order(
            "main",
            bought.number,
            at,
            "CNY",
            bought.route,
            supplier=bought.supplier,
            alternatives=bought.alternatives,
            paid=bought.paid,
            buyer_name=bought.buyer,
            buyer_email=bought.buyer and f"{bought.buyer.split()[0].lower()}@example.com",
        )
        line = Line("SKU", "Lamp", bought.quantity, bought.paid and bought.paid // bought.quantity)
        return Arrival(order, tuple(reports), (line,), placing)

    def _file(self, what: moves.File) -> None:
        at = self.now.replace(microsecond=0).isoformat()
        rows = [_cells(one, at) for one in what.orders]
        whole, path = "\n".join([COLUMNS, *rows]) + "\n", self.folder / "orders.csv"
        for content in (whole[: max(len(COLUMNS) + 1, what.torn_at)], whole):
            path.write_text(content)
            mapping = own_mapping(COLUMNS.split(","))
            with suppress(AftersalesError):
                import_orders(
                    self.database,
                    OrderFile(path, mapping, self.rules.policy.orders, marks=StoredOrders(self.database)),
                    self.now,
                    self.rules,
                )

    def _tell(self, what: moves.Tell) -> None:
        report = self._report(what.report, what.actor)
        self._say(what.report.number, report, keep=True)

    def _repeat(self, what: moves.Repeat) -> None:
        """Repeat a report; one that names a buyer who was erased is not: if it was never stored, it would be new."""
        spoken = [one for one in self.told if not any(buyer in str(one.report.fields) for buyer in self.erased)]
        if spoken:
            one = spoken[what.nth % len(spoken)]
            self._say(one.number, one.report, keep=False)

    def _say(self, number: str, report: Report, *, keep: bool) -> None:
        place = len(self.told)
        if keep:
            self.told.append(Told(number, report, None))
        (outcome, *_) = apply(self.database, [Arrival(Order("main", number, START, "CNY"), (report,))], self.now, self.rules)
        verdict = next((one.verdict for one in outcome.received if _is(one, report)), None)
        if keep and outcome.case.state is not None:  # of an order that there is not, nothing is acknowledged
            self.told[place] = Told(number, report, verdict)

    def _report(self, told: moves.Report, actor: str) -> Report:
        at = self.now - timedelta(hours=told.ago)
        return Report(told.trigger, at, actor, f"{told.trigger}@{at.isoformat()}@{len(self.told)}", actor, dict(told.fields))

    def _pass(self, what: moves.Pass) -> None:
        self.sink.outcomes = [*what.outcomes]
        off = timedelta(seconds=what.off)
        runtime = self._runtime()
        if plausible_clock(runtime).why_not(self.now + off):
            return
        with owned(self.database, "once", self.now + off) as owner:
            single_pass(runtime, owner, lambda: self.now + off)

    def _fire(self, what: moves.Fire) -> None:
        fire_due(self.database, self.now, self.rules, what.most, grouped=what.grouped)

    def _send(self, what: moves.Send) -> None:
        self.sink.outcomes = [*what.outcomes]
        with owned(self.database, "run", self.now) as owner:
            compose_due(self.database, self.now, self.rules, self._runtime().messenger)
            Sender(self.database, owner, self.rules, self._runtime().messenger).send_due(self.clock)

    def _decide(self, what: moves.Decide) -> None:
        action = EffectAction(what.action)
        with self.database.read() as connection:
            waiting = [*lists.all_effects(connection, Filter(statuses=DECIDABLE[action]))]
        chosen = [waiting[number % len(waiting)] for number in what.numbers] if waiting else []
        shown = [ChosenEffect(row["id"], row["status"]) for row in chosen]
        stuck = self._messages("parked", "dead")
        try:
            decide_effects(self.database, action, shown, "person:kim", self.now)
        finally:
            for key in stuck & self._messages("waiting"):  # a person lets it leave again: it may be taken once more
                self.sink.taken.pop(key, None)

    def _answer(self, what: moves.Answer) -> None:
        until = self.now + timedelta(hours=what.hours) if what.hours else None
        given = answers.Answer(Way(what.way), "person:kim", until=until if what.way == Way.stay else None)
        answering.decide(self.database, what.number, given, self.now, self.rules)

    def _undo(self, what: moves.Undo) -> None:
        undoing.undo_last(self.database, what.number, "person:kim", self.now, self.rules)

    def _messages(self, *statuses: str) -> set[str]:
        wanted = select(table_of(MessageRow).c.key).where(table_of(MessageRow).c.status.in_(statuses))
        with self.look.read() as connection:
            return set(connection.execute(wanted).scalars())

    def _move(self, what: moves.Move) -> None:
        ids: tuple[int, ...] = ()
        if what.number:
            with self.database.read() as connection:
                found = connection.execute(text("SELECT id FROM orders WHERE number = :number"), {"number": what.number})
                ids = tuple(found.scalars()) or (-1,)
        wanted = Selection(order_ids=ids, suppliers=(what.supplier,) if what.supplier else ())
        by = timedelta(hours=what.hours) if what.action == "shift" else None
        to = self.now + timedelta(hours=what.hours) if what.action == "postpone" else None
        command = TimerCommand(what.action, "person:kim", what.name or "as agreed", to=to, by=by)
        if what.name:
            self.named.add(what.name)
        apply_command(self.database, wanted, command, self.now, self.rules, operation_id=what.name)

    def _adopt(self, what: moves.Adopt) -> None:
        self.rules = rules_in_force(self.database, POLICIES[what.policy % len(POLICIES)], self.now)

    def _erase(self, what: moves.Erase) -> None:
        found, before = find(self.database, BuyerSelection(what.buyer)), self._erasures()
        try:
            if found:
                erase(self.database, self._places(), found, "person:kim", self.now, self.rules)
        finally:
            if self._erasures() > before:  # it was recorded: whatever happened, it will be finished
                self.erased.append(what.buyer)

    def _erasures(self) -> int:
        with self.look.read() as connection:
            return connection.execute(text("SELECT count(*) FROM operations WHERE kind = 'erase'")).scalar() or 0

    def _tidy(self, what: moves.Tidy) -> None:
        with suppress(AftersalesError):
            close_exception(self.database, what.exception, "person:kim", "looked at", self.now)
        resolve(self.database, what.number, None, "person:kim", "done", self.now, self.rules)

    def _places(self) -> Places:
        return Places(Vault(str(self.folder / "evidence"), S3Access()), self.folder / "outbox.jsonl")

    def _runtime(self) -> Runtime:
        return Runtime(self.database, self.rules, Messenger({"file": self.sink, "log": self.sink}, LETTERS), self._places())


def _is(received: Received, report: Report) -> bool:
    return (received.report.source, received.report.key) == (report.source, report.key)


def _cells(bought: Bought, at: str) -> str:
    paid = "" if bought.paid is None else f"{bought.paid / 100:.2f}"
    email = f"{bought.buyer.split()[0].lower()}@example.com" if bought.buyer else ""
    cells = [bought.number, at, bought.supplier or "", "|".join(bought.alternatives), bought.route, "CNY", paid, "SKU"]
    return ",".join([*cells, str(bought.quantity), bought.buyer or "", email])


_DAEMONS = (moves.Pass, moves.Fire, moves.Send)
_DO: Mapping[type, Callable[[World, Any], None]] = {
    moves.Place: World._place,
    moves.File: World._file,
    moves.Tell: World._tell,
    moves.Repeat: World._repeat,
    moves.Pass: World._pass,
    moves.Fire: World._fire,
    moves.Send: World._send,
    moves.Decide: World._decide,
    moves.Answer: World._answer,
    moves.Undo: World._undo,
    moves.Move: World._move,
    moves.Adopt: World._adopt,
    moves.Erase: World._erase,
    moves.Tidy: World._tidy,
}
