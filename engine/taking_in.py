"""Files of the inbox taken in: each once, whole, with a report of what became of it beside it (rule 7.13).

Whatever ends the process, the next one goes on: the file lies in `working` until it is noted what became of it, imports repeat
nothing, and a report is written whole before that is noted.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from engine import owning, summaries
from engine.importing import import_orders
from engine.inbox import (
    DONE,
    REJECTED,
    REPORT,
    TO_MEND,
    WORKING,
    Inbox,
    InboxRule,
    InboxUnusable,
    Signature,
    Waiting,
    clean,
    is_written,
    original,
    signature_of,
)
from engine.known_orders import StoredOrders
from engine.offer_files import import_file
from inbound import rows_to_mend
from inbound.files import columns_of
from inbound.mapping import Mapping as FileMapping
from inbound.mapping import own_mapping
from inbound.mapping_document import load_mapping
from inbound.offers import Usual, own_offer_mapping, read_offers
from inbound.orders import OrderFile
from inbound.rejections import Rejection
from language import counted, tr
from storage import files, offers
from storage.database import Database, DatabaseFailed
from storage.files import Content
from storage.files import FileStatus as FileStatus
from workflow.errors import AftersalesError, UsageError, describe_error
from workflow.policy.policy import Rules

MOST_KEPT = 100
"""So many rejected rows are kept in the database; the report beside the file has all."""
TRIES = 5
"""A file that the program cannot process is rejected after so many tries."""
AGAIN_AFTER_SECONDS = 60.0
BY = "inbox"
"""Who changes the catalogue by a file of the inbox."""
OWN_NAMES = InboxRule("*")
"""How a file is read that no pattern fits: by the program's own column names."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken in, with what became of it: its id, and where it lies, seen from the inbox."""

    id: int
    name: str
    status: FileStatus
    place: str
    words: str


@dataclass(slots=True)
class Round:
    """What one look into the inbox has brought: files that were taken in, and why others could not be."""

    taken: list[Taken] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was found out of a file: `error` is why it could not be read at all, `rows` are those to mend by their lines."""

    status: FileStatus
    counts: Mapping[str, object] = field(default_factory=dict)
    rejected: Sequence[Rejection] = ()
    left_out: Sequence[Rejection] = ()
    error: str | None = None
    rows: Mapping[int, str] = field(default_factory=dict)
    rows_read: int = 0
    notes: Sequence[str] = ()
    changes: Sequence[str] = ()

    @property
    def words(self) -> str:
        """Return in one line what became of it."""
        return summaries.in_a_line(self.error, self.counts)


class TakingIn:
    """Takes files in, round after round; what it remembers from one to the next is lost without harm."""

    def __init__(self, inbox: Inbox, database: Database) -> None:
        """Take the inbox, and the database that its files are for."""
        self.inbox, self._database = inbox, database
        self._seen: dict[str, Signature] = {}
        """What waited in the last round."""
        self._failed: dict[str, tuple[int, float]] = {}
        """How often files could not be processed, and when they are tried again."""

    def round(
        self,
        owner: str,
        clock: Callable[[], datetime],
        now: float,
        rules: Callable[[], Rules],
        *,
        looks_once: bool = False,
        carry_on: Callable[[], bool] = lambda: True,
    ) -> Round:
        """Take in the files that have come to rest, those first that were changed first.

        `now` is the time of the file system, in seconds since 1970. Unless it `looks_once`, a file must be as it was in the
        round before too.

        Raises:
            InboxUnusable: the inbox is missing, or may not be written to.

        """
        self.inbox.refuse_unusable()
        self._take_over(owner, clock())
        found = Round()
        for path in self._ready(owner, now, found, looks_once=looks_once):
            if not carry_on():
                break
            self._try(path, owner, clock(), now, rules(), found)
        self.inbox.leave(owner)
        return found

    def _take_over(self, owner: str, at: datetime) -> None:
        """Take what owners had taken that have ended, and note what they have moved where it belongs."""
        if self.inbox.has_others(owner):
            with self._database.write() as connection:
                alive = [row["daemon"] for row in owning.living(self._database, connection, at)]
            self.inbox.take_over(owner, alive)
        with self._database.read() as connection:
            moving = files.to_be_moved(connection)
        mine = {path.name for path in self.inbox.taken(owner)}
        lie_there = [row["id"] for row in moving if row["name"] not in mine and (self.inbox.folder / row["place"]).exists()]
        if lie_there:
            with self._database.write() as connection:
                files.moved(connection, lie_there)

    def _ready(self, owner: str, now: float, found: Round, *, looks_once: bool) -> Iterator[Path]:
        """Yield the files of this owner, and then those that it takes now."""
        for path in self.inbox.taken(owner):
            if self._failed.get(path.name, (0, 0.0))[1] <= now and not is_written(path) and self._can_be_read(path, found):
                yield path
        waiting = self.inbox.waiting(now)
        seen, self._seen = self._seen, {one.path.name: one.signature for one in waiting}
        for one in waiting:
            is_ready = one.at_rest and (looks_once or seen.get(one.path.name) == one.signature)
            if is_ready and self._can_be_read(one.path, found) and (taken := self._moved(one, owner, found)):
                yield taken

    def _moved(self, one: Waiting, owner: str, found: Round) -> Path | None:
        """Move a file to its taker; one that may not be moved keeps no other from its turn."""
        try:
            return self.inbox.take(one, owner)
        except OSError as error:
            found.failures.append(tr("{name} waits: {why}", name=clean(one.path.name), why=error.strerror or error))
            return None

    def _can_be_read(self, path: Path, found: Round) -> bool:
        rule = self.inbox.rule_of(path.name)
        why = _why_faulty(rule) if rule is not None else None
        if why is not None:
            found.failures.append(tr("{name} waits: {why}", name=clean(path.name), why=why))
        return why is None

    def _try(self, path: Path, owner: str, at: datetime, now: float, rules: Rules, found: Round) -> None:
        """Take a file in; one that cannot be processed is tried again, and does not keep others from their turn."""
        try:
            tries, _ = self._failed.get(path.name, (0, 0.0))
            taken = _Taking(self.inbox, self._database, path, owner, at, rules).take_in(gives_up=tries >= TRIES)
        except (DatabaseFailed, owning.OwnershipLost):
            raise
        except Exception as error:
            if isinstance(error, FileNotFoundError) and not path.exists():
                return  # it was taken over by an owner that took this one for dead
            tries += not isinstance(error, OSError | AftersalesError)
            self._failed[path.name] = tries, now + AGAIN_AFTER_SECONDS
            found.failures.append(
                tr("{name} could not be taken in, and is tried again: {error}", name=path.name, error=describe_error(error))
            )
        else:
            self._failed.pop(path.name, None)
            if taken is None:
                self._failed[path.name] = 0, now + self.inbox.at_rest.total_seconds()
            else:
                found.taken.append(taken)


def _why_faulty(rule: InboxRule) -> str | None:
    """Return why files of a pattern cannot be read at all."""
    try:
        if rule.mapping is not None:
            load_mapping(rule.mapping)
    except UsageError as error:
        return str(error)
    return None


def problems(inbox: Inbox, now: float) -> Iterator[str]:
    """Yield what keeps files of an inbox from being taken in; `now` is the time of the file system."""
    try:
        inbox.refuse_unusable()
    except InboxUnusable as error:
        yield str(error)
    for rule in inbox.rules:
        if why := _why_faulty(rule):
            yield tr("files that fit {pattern} wait until their mapping can be read: {why}", pattern=rule.pattern, why=why)
    if stuck := inbox.stuck(now):
        some = counted(len(stuck), "file lies", "files lie")
        told = tr(
            "{some} in {folder} for more than ten minutes: {name}", some=some, folder=inbox.folder / WORKING, name=stuck[0]
        )
        yield told


class _Taking:
    """One file that is taken in."""

    def __init__(self, inbox: Inbox, database: Database, path: Path, owner: str, at: datetime, rules: Rules) -> None:
        self._inbox, self._database, self._path, self._owner = inbox, database, path, owner
        self._at, self._rules = at, rules
        self._rule = inbox.rule_of(path.name) or OWN_NAMES
        self._signature = signature_of(path)
        mapping = self._rule.mapping
        self._mapping_text = mapping.read_text("utf-8-sig") if mapping else ""
        self._content = _content(path, self._rule, self._mapping_text)

    def take_in(self, *, gives_up: bool) -> Taken | None:
        """Take the file in; return None if it changes meanwhile, or another takes the same content in."""
        if ended := self._ended():
            return self._move(ended["id"], FileStatus(ended["status"]), ended["place"], "")
        file_id = self._begin()
        if file_id is None:
            return None
        told = _Told(FileStatus.rejected, error=tr("the program could not process it")) if gives_up else self._read(file_id)
        if signature_of(self._path) != self._signature or is_written(self._path):
            with self._database.write() as connection:
                files.let_go(connection, file_id)
            return None
        return self._end(file_id, told)

    def _ended(self) -> Any:
        """Return what became of this very file, if only its move is missing."""
        with self._database.read() as connection:
            moving = files.to_be_moved(connection)
        mine = (row for row in moving if (row["name"], row["digest"]) == (self._path.name, self._content.digest))
        return next(mine, None)

    def _begin(self) -> int | None:
        with self._database.write() as connection:
            if file_id := files.take(connection, self._content, self._owner, self._at):
                return file_id
            other = files.taking(connection, self._content.digest)
            if other is None:
                return None
            if other["owner"] == self._owner and self._path.with_name(other["name"]).exists():
                return int(other["id"]) if other["name"] == self._path.name else None
            alive = [row["daemon"] for row in owning.living(self._database, connection, self._at)]
            if other["owner"] != self._owner and other["owner"] in alive:
                return None
            is_mine = files.take_over(connection, other["id"], other["owner"], self._path.name, self._owner)
            return int(other["id"]) if is_mine else None

    def _read(self, file_id: int) -> _Told:
        try:
            mapping = self._mapping
            if before := self._before(mapping):
                return _Told(FileStatus.repeated, error=before)
            return self._read_offers(mapping, file_id) if mapping.offer else self._read_orders(mapping)
        except UsageError as error:
            told = str(error).replace(str(self._path), self._path.name)
            if self._rule is OWN_NAMES:
                told = tr(
                    "no pattern of [[inbox.files]] fits its name, and by the program's own column names it cannot be read:"
                    " {why} (`aftersales mapping new` proposes a mapping)",
                    why=told,
                )
            return _Told(FileStatus.rejected, error=told)

    @cached_property
    def _mapping(self) -> FileMapping:
        """The mapping of the pattern, or the one that the file's own column names give."""
        if self._rule.mapping is not None:
            return load_mapping(self._rule.mapping)
        columns = columns_of(self._path)
        is_of_offers = "id" not in columns and "sku" in columns and (self._rule.supplier or "supplier" in columns)
        return own_offer_mapping(columns) if is_of_offers else own_mapping(columns)

    def _before(self, mapping: FileMapping) -> str | None:
        """Say when the same content was taken in before; offers that were replaced since are taken in again."""
        with self._database.read() as connection:
            before = files.taken_before(connection, self._content)
            if before is None:
                return None
            if mapping.offer and json.loads(before["summary"]).get("version") != offers.version(connection):
                return None  # what it says may not be so any more
        at = self._local(before["ended_at"])
        return tr("the same content was taken in at {at} as {name}: nothing was done", at=at, name=before["name"])

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self._inbox.zone):%Y-%m-%d %H:%M:%S %Z}"

    def _read_orders(self, mapping: FileMapping) -> _Told:
        stored = StoredOrders(self._database)
        file = OrderFile(self._path, mapping, self._rules.policy.orders, stored, stored, self._mapping_text)
        rows = list[int]()
        done = import_orders(self._database, file, self._at, self._rules, observed=self._rule.observe, progress=rows.append)
        status = FileStatus.rejected if done.rejected else FileStatus.done
        told = summaries.of_orders(done)
        return _Told(status, told, done.rejected, done.left_out, rows=done.rows_to_mend, rows_read=sum(rows))

    def _read_offers(self, mapping: FileMapping, file_id: int) -> _Told:
        rule, kept = self._rule, self._kept(file_id)
        if kept is not None:  # it was imported, and only its report is missing: what a person has done since stays done
            return kept
        usual = Usual(self._rules.policy.orders.currency, rule.supplier, rule.shop, self._inbox.zone)
        found = read_offers(self._path, mapping, usual)
        found.refuse_empty(self._path.name)
        done = import_file(self._database, found, self._path.name, BY, self._at, keep=rule.keep)
        told = _Told(
            FileStatus.rejected if found.rejected else FileStatus.done,
            done.counts(),
            found.rejected,
            found.left_out,
            notes=[*done.notes(usual.currency)],
            changes=[*done.changes(self._inbox.zone, self._at)],
        )
        with self._database.write() as connection:
            files.note(connection, file_id, {**_summary(told), "version": offers.version(connection)})
        return told

    def _kept(self, file_id: int) -> _Told | None:
        """Return what was noted of a file that was imported before its report could be written."""
        with self._database.read() as connection:
            row = files.find(connection, file_id)
        if row is None or row["summary"] is None:
            return None
        kept = json.loads(row["summary"])
        rejected, left_out = ([Rejection(**one) for one in kept[name]] for name in ("rejections", "left_out"))
        seen = {"notes": kept["notes"], "changes": kept["changes"]}
        return _Told(FileStatus(kept["status"]), kept["counts"], rejected, left_out, **seen)

    def _end(self, file_id: int, told: _Told) -> Taken | None:
        """Write the report, note what became of the file, and move it there: in this order, each step whole."""
        where = REJECTED if told.status is FileStatus.rejected else DONE
        place = self._place(file_id, where)
        self._write_reports(file_id, self._inbox.folder / place, told)
        with self._database.write() as connection:
            summary = {**_summary(told), "version": offers.version(connection)}
            if not files.end(connection, file_id, self._owner, told.status, summary, self._at):
                return None  # another owner has taken it over
            files.settle(connection, self._superseded(connection, file_id, told), f"file:{file_id}", None, self._at)
        return self._move(file_id, told.status, place, told.words)

    def _place(self, file_id: int, where: str) -> str:
        """Return where the file is to lie; who was killed after its report was written there has planned it."""
        with self._database.write() as connection:
            row = files.find(connection, file_id)
            planned = row["place"] if row is not None else None
            if planned is None or not planned.startswith(f"{where}/"):
                planned = self._inbox.free_place(where, self._path.name, file_id)
                files.plan(connection, file_id, planned)
        return str(planned)

    def _superseded(self, connection: Connection, file_id: int, told: _Told) -> list[int]:
        """Return the rejected files for which this one stands: of the same content, mended by it, or replaced by it.

        One is mended by a file of its rows to mend that has as many rows, whatever is rejected of that; and a price list is
        replaced by a later one of its name.
        """
        name, whole = self._path.name, original(self._path.name)
        found = []
        for row in files.open_like(connection, self._content.content, name, f"{REJECTED}/{whole}"):
            told_then = json.loads(row["summary"])
            is_mended = (
                whole != name and original(Path(row["place"]).name) == whole and 0 < told_then["to_mend"] <= told.rows_read
            )
            is_replaced = row["name"] == name and "offers" in told.counts and "orders" not in told_then["counts"]
            if row["id"] < file_id and (row["content"] == self._content.content or is_mended or is_replaced):
                found.append(row["id"])
        return found

    def _write_reports(self, file_id: int, target: Path, told: _Told) -> None:
        mapping = self._content.mapping or tr("the program's own column names")
        at = self._local(self._at)
        about = tr("{name}, taken in at {at} by {mapping}", name=self._path.name, at=at, mapping=mapping)
        _write_whole(target.with_name(target.name + REPORT), "\n".join([about, "", *_lines_of(told)]) + "\n")
        if told.rows:
            layout = self._mapping.layout
            again = f"~{file_id}" if original(target.name) != target.name else ""
            ending = rows_to_mend.ending_of(self._path, layout)
            mended = target.with_name(original(target.name) + TO_MEND + again + ending)
            try:
                rows_to_mend.write_rows(self._path, layout, told.rows, mended)
            except UsageError as error:
                raise InboxUnusable(str(error)) from None

    def _move(self, file_id: int, status: FileStatus, place: str, words: str) -> Taken:
        if (self._inbox.folder / place).exists():  # a person has put one of that name there meanwhile
            where, _, name = place.partition("/")
            place = self._inbox.free_place(where, name, file_id)
            with self._database.write() as connection:
                files.plan(connection, file_id, place)
        os.rename(self._path, self._inbox.folder / place)
        with self._database.write() as connection:
            files.moved(connection, [file_id])
        return Taken(file_id, self._path.name, status, place, words)


def _summary(told: _Told) -> dict[str, Any]:
    """Return what the database keeps of what was found out."""
    kept = summaries.rejections_json(told.rejected[:MOST_KEPT], told.left_out[:MOST_KEPT])
    seen = {"notes": told.notes, "changes": told.changes[:MOST_KEPT]}
    return {"status": told.status, "counts": told.counts, "error": told.error, "to_mend": len(told.rows), **kept, **seen}


def _content(path: Path, rule: InboxRule, mapping_text: str) -> Content:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    content = digest.hexdigest()
    digest.update(repr((mapping_text, rule.supplier, rule.shop, rule.keep)).encode())
    return Content(path.name, content, digest.hexdigest(), rule.mapping.name if rule.mapping else None)


def _lines_of(told: _Told) -> Iterator[str]:
    """Yield the lines of a report."""
    if told.error:
        yield told.error
    yield from (f"{name}: {count}" for name, count in summaries.in_words(told.counts))
    lists = (
        (tr("Look twice"), told.notes),
        (tr("Rejected rows"), [*map(_in_a_line, told.rejected)]),
        (tr("Cells that were left out"), [*map(_in_a_line, told.left_out)]),
        (tr("Changes of the catalogue"), told.changes),
    )
    for title, lines in lists:
        if lines:
            yield from ("", title, *lines)


def _in_a_line(one: Rejection) -> str:
    line = tr("line {line}", line=one.line) if one.line else None
    order = tr("order {name}", name=one.order) if one.order else None
    return f"{', '.join(filter(None, (line, one.column, order)))}: {one.reason}"


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    raw = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(raw, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
