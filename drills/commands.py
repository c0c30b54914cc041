"""Kills commands at random moments of their work, and looks whether all is as if nothing had disturbed them.

Each command is killed, gone on with as a person or the daemon would, and its database and folder are held against those of
a run that nothing disturbed. Run it alone for the long version: `python -m drills.commands 100`, or with
`--postgresql` for the commands that a server has too.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from admin.main import COMMANDS, cli, main
from drills.postgres import Server
from effects.file import FileChannel
from effects.letters import Letters
from engine.composing import Messenger
from engine.evidence_keeping import remove_unclaimed
from engine.firing import fire_due
from engine.rules import rules_in_force
from engine.sending import deliver_due
from evidence.vault import S3Access, Vault
from storage import audits
from storage.database import Database

ORDERS = 1_200
MESSAGES = 200
MEASURED = 2
"""Undisturbed runs that say how long a command works."""
KIM = (b"kim@example.com", b"Kim Lee", b"1 Long Road")
"""The buyer that is erased."""
OUTPUT = "output.txt"
PHOTOS = ("photo-0.jpg", "photo-1.jpg", "photo-2.jpg")
SETTINGS = 'policy = "policy.toml"\n'
POLICY = '[effects]\ndefault_channels = ["file"]\n'
LATER_POLICY = POLICY + '[overdue]\nurge_after = "3d"\n'
HEADER = "id,placed_at,supplier,alternatives,route,currency,paid,sku,quantity,buyer_name,buyer_email,buyer_address"
SEEN: Mapping[str, str] = {
    "orders": "shop, number, state, version, erased, buyer_email, claims_made",
    "order_lines": "order_id, number, sku, quantity",
    "attempts": "order_id, number, supplier",
    "timers": "order_id, number, trigger, due_at, status",
    "history": "order_id, sequence, trigger, target, actor",
    "claims": "order_id, number, status, evidence",
    "evidence": "order_id, claim, sha256, name",
    "reports": "order_id, trigger, verdict",
    "effects": "order_id, sequence, kind, status",
    "messages": "kind, recipient, language, status",
    "operations": "kind, ended_at IS NULL",
}
"""What is compared of each table: nothing that tells when something was done."""


class Failed(AssertionError):
    """Something was lost, done twice or left behind."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with its database."""

    folder: Path
    url: str

    def start(self, words: Sequence[str], working: int | None = None) -> int:
        """Start a command in a process of its own; it writes a byte to `working` when its first transaction begins."""
        return _forked(partial(_become, self, words, working))

    def must(self, *words: str, codes: Sequence[int] = (0,)) -> None:
        """Run a command that ends with one of the exit codes.

        Raises:
            Failed: it ended with another one.

        """
        if (code := _wait(self.start(words))) not in codes:
            raise Failed(f"aftersales {' '.join(words)} ended with {code}: {self.said()}")

    def said(self) -> str:
        """Return the end of what commands have printed."""
        return (self.folder / OUTPUT).read_text()[-500:]

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages in the file that they leave by."""
        path = self.folder / "outbox.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def database(self) -> Database:
        """Open the database."""
        return Database(self.url)


@dataclass(frozen=True, slots=True)
class Work:
    """A command that is killed, what makes the place ready for it, and what finishes it (None: the same command again)."""

    name: str
    words: tuple[str, ...]
    make_ready: Callable[[Place], None]
    finish: Callable[[Place], None] | None = None
    on_a_server: bool = True

    def go_on(self, place: Place) -> None:
        """Go on with the command as a person or the daemon would."""
        if self.finish:
            self.finish(place)
        else:
            place.must(*self.words)


def kill(work: Work, kills: int, seed: int = 1688, server: Server | None = None) -> int:
    """Kill a command at `kills` random moments of its work; return how many runs had ended before.

    Raises:
        Failed: the place is not as it is when nothing disturbs the command.

    """
    dice, ended = random.Random(f"{seed} {work.name}"), 0
    with TemporaryDirectory(prefix="aftersales-kills-") as home:
        ready = _made(Path(home) / "ready", server)
        work.make_ready(ready)
        undisturbed = list[tuple[float, Any]]()
        for number in range(MEASURED):
            with ExitStack() as stack:
                place = _copied(ready, Path(home) / f"undisturbed-{number}", server, stack)
                seconds = _run_undisturbed(place, work)
                work.go_on(place)
                undisturbed.append((seconds, seen(place)))
        expected, longest = undisturbed[0][1], max(seconds for seconds, _ in undisturbed)
        if any(found != expected for _, found in undisturbed):
            raise Failed(f"{work.name}: two undisturbed runs differ")
        landed = 0
        while landed < kills:
            with ExitStack() as stack:
                place = _copied(ready, Path(home) / "killed", server, stack)
                after = dice.uniform(0, longest)
                if not _kill_after(place, work, after):
                    ended += 1
                    continue
                landed += 1
                work.go_on(place)
                if difference := _difference(expected, seen(place)):
                    raise Failed(f"{work.name}, kill {landed} after {after * 1000:.1f} ms: {difference}")
    return ended


def seen(place: Place) -> dict[str, Any]:
    """Return what there is in a place, without anything that tells when it was made."""
    database = place.database()
    try:
        with database.read() as connection:
            found: dict[str, Any] = {
                table: sorted(map(repr, connection.execute(text(f"SELECT {columns} FROM {table}"))))
                for table, columns in SEEN.items()
            }
            found["broken"] = [*audits.broken_orders(connection), *audits.missing_orders(connection)]
    finally:
        database.close()
    found["outbox"] = sorted({f"{message['key']} {message.get('recipient')}" for message in place.messages()})
    found["files"] = sorted(_files(place.folder))
    return found


def _files(folder: Path) -> Iterator[str]:
    """Yield the files that are kept, without the log of SQLite, locks, and databases that were replaced."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and ".replaced-" not in name and not name.endswith(("-wal", "-shm", ".lock", OUTPUT)):
            yield name


def _difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    for name, rows in expected.items():
        if found[name] != rows:
            missing = [one for one in rows if one not in found[name]]
            added = [one for one in found[name] if one not in rows]
            return f"{name}: {len(rows)} -> {len(found[name])} rows, missing {missing[:3]}, added {added[:3]}"
    return None


# --- processes ---


def _forked(work: Callable[[], None]) -> int:
    """Do something in a process of its own, so that this one never has the threads of a library; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


def _become(place: Place, words: Sequence[str], working: int | None) -> None:
    """Be a command."""
    os.chdir(place.folder)
    with (place.folder / OUTPUT).open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ.update({"AFTERSALES_DATABASE": place.url, "AFTERSALES_CONFIG": "aftersales.toml"})
    if working is not None:
        event.listen(Engine, "begin", lambda _: os.write(working, b"."), once=True)
    sys.argv = ["aftersales", *words]
    main()


def _in_a_process(work: Callable[[], None]) -> None:
    if _wait(_forked(work)):
        raise Failed("what goes on after the kill has failed")


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _started(place: Place, work: Work) -> int:
    """Start a command, and wait until its work begins, or until it has ended."""
    heard, working = os.pipe()
    try:
        pid = place.start(work.words, working)
        os.close(working)
        os.read(heard, 1)
    finally:
        os.close(heard)
    return pid


def _run_undisturbed(place: Place, work: Work) -> float:
    """Run a command to its end; return for how many seconds it has worked."""
    pid = _started(place, work)
    begun = time.monotonic()
    if code := _wait(pid):
        raise Failed(f"{work.name} ended with {code}: {place.said()}")
    return time.monotonic() - begun


def _kill_after(place: Place, work: Work, seconds: float) -> bool:
    """Start a command and kill it when it has worked for so long; return whether it had not ended before."""
    pid = _started(place, work)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return _wait(pid) == -signal.SIGKILL


# --- places ---


def _made(folder: Path, server: Server | None) -> Place:
    folder.mkdir()
    (folder / "aftersales.toml").write_text(SETTINGS)
    (folder / "policy.toml").write_text(POLICY)
    if server is None:
        return Place(folder, f"sqlite:///{folder / 'aftersales.db'}")
    place = Place(folder, server.new_database())
    place.must("db", "upgrade")
    return place


def _copied(ready: Place, folder: Path, server: Server | None, stack: ExitStack) -> Place:
    """Copy a place; what the copy needs is gone when the stack is closed."""
    shutil.copytree(ready.folder, folder)
    stack.callback(shutil.rmtree, folder)
    if server is None:
        return Place(folder, f"sqlite:///{folder / 'aftersales.db'}")
    url = server.new_database(ready.url.rpartition("/")[2])
    stack.callback(server.drop, url)
    return Place(folder, url)


def _write_orders(place: Place, placed_days_ago: float = 0.5, orders: int = ORDERS, suppliers: int = 40) -> None:
    at = (datetime.now(UTC) - timedelta(days=placed_days_ago)).replace(microsecond=0).isoformat()
    kim = ",".join(text.decode() for text in (KIM[1], KIM[0], KIM[2]))
    rows = (
        f"{1000 + n},{at},supplier {n % suppliers},other,domestic,CNY,25.90,LAMP,1,{kim if n % 200 == 7 else ',,'}"
        for n in range(orders)
    )
    (place.folder / "orders.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def _import(place: Place) -> None:
    _write_orders(place)
    place.must("import", "orders.csv")


def _ready_to_retime(place: Place) -> None:
    _import(place)
    (place.folder / "policy.toml").write_text(LATER_POLICY)


def _ready_to_send(place: Place) -> None:
    """Let every supplier have been urged, and no message be written yet."""
    _write_orders(place, placed_days_ago=2.5, orders=MESSAGES, suppliers=MESSAGES)
    place.must("import", "orders.csv", "--urge-historical")
    database = place.database()
    now = datetime.now(UTC)
    while fire_due(database, now, rules_in_force(database, POLICY, now)).count:
        pass
    database.close()


def _claimed(place: Place) -> None:
    """Let order 1007, which is Kim's, have a claim, and its photos lie beside the database."""
    _import(place)
    for words in (("ship",), ("deliver",), ("open_claim", "--kind", "damaged")):
        place.must("report", "1007", *words)
    for n, name in enumerate(PHOTOS):
        Image.new("RGB", (900, 700), (40 * n, 80, 120)).save(place.folder / name)


def _ready_to_erase(place: Place) -> None:
    _claimed(place)
    place.must("claims", "evidence", "add", "1007", *PHOTOS)
    place.must("once")


def _ready_to_restore(place: Place) -> None:
    _ready_to_erase(place)
    place.must("db", "backup", "copy.db")
    place.must("timers", "shift", "--all", "--by", "3d")


# --- how each is gone on with ---


def _finish_retiming(place: Place) -> None:
    """Let house-keeping finish it; a person repeats it, in case that nothing was recorded."""
    place.must("once")
    place.must(*RETIME)


def _finish_erasure(place: Place) -> None:
    """Let the daemon's house-keeping finish it, or begin it if nothing was recorded; Kim is nowhere afterwards."""
    place.must("erase", "--finish")
    place.must("erase", "--buyer", KIM[0].decode(), "--yes", codes=(0, 1))
    for path in place.folder.rglob("*"):
        if path.is_file() and path.suffix not in (".csv", ".txt"):
            content = path.read_bytes()
            if found := [one for one in KIM if one in content]:
                raise Failed(f"{path.name} still holds {found}")


def _finish_evidence(place: Place) -> None:
    """Add the files again if the claim has none; then remove files that no claim has, as house-keeping does."""
    database = place.database()
    with database.read() as connection:
        added = connection.execute(text("SELECT count(*) FROM evidence")).scalar()
    database.close()
    if not added:
        place.must("claims", "evidence", "add", "1007", *PHOTOS)
    _in_a_process(partial(_remove_unclaimed, place))


def _remove_unclaimed(place: Place) -> None:
    remove_unclaimed(
        place.database(), Vault(str(place.folder / "evidence"), S3Access()), datetime.now(UTC) + timedelta(hours=2)
    )


def _finish_backup(place: Place) -> None:
    """A backup that has its name is whole; one that has not is made again, and can be restored."""
    if not (place.folder / "copy.db").exists():
        place.must("db", "backup", "copy.db")
    other = Place(place.folder, f"sqlite:///{place.folder / 'restored.db'}")
    other.must("db", "restore", "copy.db")


def _finish_restore(place: Place) -> None:
    """The database is the old one or the restored one, whole; restored once more, it is the backup.

    Copies of photos that were being put back are removed by house-keeping, an hour later.
    """
    place.must("orders", codes=(0, 1))
    place.must("db", "restore", "copy.db", "--replace")
    _in_a_process(partial(_remove_unclaimed, place))


def _finish_sending(place: Place) -> None:
    """Send what is left, a day later what was really being sent: at most that one message has left twice, under its key."""
    place.must("once")
    _in_a_process(partial(_deliver_a_day_later, place))
    keys = Counter(message["key"] for message in place.messages())
    twice = [key for key, count in keys.items() if count > 1]
    if len(twice) > 1 or max(keys.values()) > 2:
        raise Failed(f"{len(twice)} messages have left more than once")


def _deliver_a_day_later(place: Place) -> None:
    messenger = Messenger({"file": FileChannel(place.folder / "outbox.jsonl")}, Letters())
    at, database = datetime.now(UTC) + timedelta(days=1), place.database()
    deliver_due(database, at, rules_in_force(database, POLICY, at), messenger)


SHIFT = ("timers", "shift", "--all", "--by", "8d", "--operation", "holiday")
RETIME = ("policy", "retime", "--all", "--operation", "new")
WORKS = (
    Work("import", ("import", "orders.csv"), _write_orders),
    Work("shift", SHIFT, _import),
    Work("retime", RETIME, _ready_to_retime, _finish_retiming),
    Work("erase", ("erase", "--buyer", KIM[0].decode(), "--yes"), _ready_to_erase, _finish_erasure),
    Work("evidence", ("claims", "evidence", "add", "1007", *PHOTOS), _claimed, _finish_evidence),
    Work("backup", ("db", "backup", "copy.db"), _ready_to_erase, _finish_backup, on_a_server=False),
    Work("restore", ("db", "restore", "copy.db", "--replace"), _ready_to_restore, _finish_restore, on_a_server=False),
    Work("send", ("once",), _ready_to_send, _finish_sending),
)


def run(kills: int, names: Sequence[str] = (), *, on_a_server: bool = False) -> dict[str, dict[str, int]]:
    """Kill every command, or those named, so often; return how many kills landed, and how many runs had ended before."""
    for name in COMMANDS:  # so that a forked command begins its work at once
        cli.get_command(None, name)  # type: ignore[arg-type]
    server = Server() if on_a_server else None
    try:
        works = [one for one in WORKS if (one.on_a_server or server is None) and (not names or one.name in names)]
        return {one.name: {"kills": kills, "ended before": kill(one, kills, server=server)} for one in works}
    finally:
        if server:
            server.stop()


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("kills", type=int, help="how many kills of each command must land")
    ask.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(one.name for one in WORKS)}")
    ask.add_argument("--postgresql", action="store_true", help="on a server, for the commands that one has")
    given = ask.parse_args()
    if unknown := {*given.names} - {one.name for one in WORKS}:
        ask.error(f"not a command that is killed: {', '.join(sorted(unknown))}")
    print(json.dumps(run(given.kills, given.names, on_a_server=given.postgresql), indent=2))
