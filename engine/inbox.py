"""The inbox as a folder: which files wait there, which of them have come to rest, and who takes them (rule 7.13).

A file is taken by moving it into the taker's own folder in `working`, which no two processes can do. From there it goes to
`done` or `rejected`.
"""

import errno
import fcntl
import os
import re
import signal
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import Path
from zoneinfo import ZoneInfo

from language import tr
from workflow.errors import AftersalesError

WORKING, DONE, REJECTED = "working", "done", "rejected"
REPORT = ".report.txt"
"""What the name of a report has behind that of its file."""
TO_MEND = ".to-mend"
"""What the name of a file with rejected rows has behind that of the file that they come from."""
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".swp", "~")
"""How the names of files end that another program still writes."""
LONGEST_NAME_BYTES = 200
"""Names of files have 255 at most, and that of a report has something behind it."""
STUCK_SECONDS = 600.0
_NUMBERED = re.compile(r"~\d+(-\d+)?(?=(\.[^.]*)?$)", re.ASCII)


class InboxUnusable(AftersalesError):
    """The inbox is missing, or no file can be moved there; the message says which folder and what to do."""


@dataclass(frozen=True, slots=True)
class InboxRule:
    """How files are read whose names fit a pattern; without a `mapping`, by the program's own column names.

    With `observe`, every effect of new orders is held. `supplier`, `shop` and `keep` are for files of offers, as `catalogue
    import` has them.
    """

    pattern: str
    mapping: Path | None = None
    supplier: str | None = None
    shop: str | None = None
    keep: bool = False
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells that a file has changed."""

    size: int
    modified: int
    """In nanoseconds."""
    file: int
    """Its number in the file system."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that waits in the inbox, and whether it has come to rest."""

    path: Path
    signature: Signature
    at_rest: bool
    changed_at: float
    """When it was changed last, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """A folder whose files are taken in once they have not changed for as long as `at_rest`.

    `zone` is that of dates in files of offers.
    """

    folder: Path
    rules: Sequence[InboxRule]
    at_rest: timedelta
    zone: ZoneInfo

    def rule_of(self, name: str) -> InboxRule | None:
        """Return how a file is read: by the first pattern that fits its name, whatever its case.

        Rows to mend are read as the file that they come from; so is a file that had to be numbered.
        """
        whole = original(name)
        for one in dict.fromkeys((whole, _NUMBERED.sub("", whole))):
            for rule in self.rules:
                if fnmatch(one.casefold(), rule.pattern.casefold()):
                    return rule
        return None

    def refuse_unusable(self) -> None:
        """Check that files can be moved within the inbox, and make its folders.

        Raises:
            InboxUnusable: it is missing, or may not be written to.

        """
        if not self.folder.is_dir():
            raise InboxUnusable(
                tr("the inbox {folder} is missing: make the folder, or change [inbox] folder", folder=self.folder)
            )
        for folder in (self.folder, *(self.folder / name for name in (WORKING, DONE, REJECTED))):
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise InboxUnusable(
                    tr("the inbox {folder} cannot be used: {error}", folder=folder, error=error.strerror)
                ) from None
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise InboxUnusable(tr("the inbox {folder} cannot be used: it may not be written to", folder=folder))
            is_elsewhere = folder.stat().st_dev != self.folder.stat().st_dev
            if folder != self.folder and (is_elsewhere or folder.is_symlink()):
                raise InboxUnusable(
                    tr("the inbox cannot be used: {folder} must be a folder of its own file system, no link", folder=folder)
                )

    def waiting(self, now: float) -> list[Waiting]:
        """Return the files that wait, those first that were changed first; `now` is in seconds since 1970.

        Hidden files, links, folders, and files under names of unfinished downloads are none.
        """
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "~$")) or entry.name.lower().endswith(UNFINISHED):
                    continue
                with suppress(FileNotFoundError):
                    if one := self._waiting(entry, now):
                        found.append(one)
        return sorted(found, key=lambda one: (one.signature.modified, one.path.name))

    def _waiting(self, entry: os.DirEntry[str], now: float) -> Waiting | None:
        told = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(told.st_mode):
            return None
        known = [at for at in (told.st_mtime, told.st_ctime) if at <= now]  # what is ahead of now says nothing
        path, changed_at = Path(entry.path), max(known, default=0.0)
        rests = now - changed_at >= self.at_rest.total_seconds()
        return Waiting(path, _signature(told), rests and not is_written(path), changed_at)

    def take(self, waiting: Waiting, owner: str) -> Path | None:
        """Move a file to its taker; return where it is, or None if another was sooner, or it is not that file any more.

        Raises:
            OSError: it may not be moved.

        """
        mine = self.working(owner)
        mine.mkdir(exist_ok=True)
        target = mine / clean(waiting.path.name)
        try:
            if target.exists() or signature_of(waiting.path) != waiting.signature or is_written(waiting.path):
                return None  # an older one of that name is not done with yet, or it has changed since the round began
            os.rename(waiting.path, target)
        except FileNotFoundError:
            return None
        return target

    def working(self, owner: str) -> Path:
        """Return the folder of an owner's files."""
        return self.folder / WORKING / owner.replace(":", "_")

    def taken(self, owner: str) -> list[Path]:
        """Return the files that an owner has taken and not moved on, the oldest first."""
        with suppress(FileNotFoundError):
            found = [one for one in self.working(owner).iterdir() if one.is_file() and not one.is_symlink()]
            return sorted(found, key=lambda one: (one.stat().st_mtime_ns, one.name))
        return []

    def stuck(self, now: float) -> list[str]:
        """Return the files that have been lying in `working` for long: something keeps them from being moved on."""
        with suppress(OSError):
            found = [one for one in (self.folder / WORKING).rglob("*") if one.is_file()]
            return [one.name for one in sorted(found) if now - one.stat().st_ctime > STUCK_SECONDS]
        return []

    def has_others(self, owner: str) -> bool:
        """Say whether there are files in `working` that another owner has taken."""
        return any(True for _ in self._folders_of_others([owner]))

    def take_over(self, owner: str, alive: Collection[str]) -> None:
        """Take what owners had taken that have ended."""
        mine = self.working(owner)
        for folder in self._folders_of_others([owner, *alive]):
            mine.mkdir(exist_ok=True)
            for path in sorted(one for one in folder.iterdir() if one.is_file() and not one.is_symlink()):
                with suppress(FileNotFoundError):
                    if not (mine / path.name).exists():
                        os.rename(path, mine / path.name)
            with suppress(OSError):  # not empty: what has the name of a file of ours follows when that is done
                folder.rmdir()

    def _folders_of_others(self, owners: Collection[str]) -> Iterator[Path]:
        known = {self.working(one).name for one in owners}
        yield from (
            one
            for one in sorted((self.folder / WORKING).iterdir())
            if one.name not in known and one.is_dir() and not one.is_symlink()
        )

    def free_place(self, where: str, name: str, number: int) -> str:
        """Return under which name a file can be put into `done` or `rejected`, seen from the inbox.

        Its report is made there, empty, so that nobody else takes the name.

        Raises:
            OSError: nothing can be written there.

        """
        (stem, suffix), folder = os.path.splitext(name), self.folder / where
        others = (f"{stem}~{number}{suffix}", *(f"{stem}~{number}-{again}{suffix}" for again in range(2, 1_000)))
        for one in (name, *others):
            beside = (one, *(one + TO_MEND + ending for ending in (".csv", ".json", ".jsonl", ".ndjson")))
            if not any((folder / other).exists() for other in beside):
                with suppress(FileExistsError):
                    os.close(os.open(folder / (one + REPORT), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                    return f"{where}/{one}"
        raise FileExistsError(errno.EEXIST, "too many files of that name", str(folder / name))

    def leave(self, owner: str) -> None:
        """Remove an owner's folder if nothing is left in it."""
        with suppress(OSError):
            self.working(owner).rmdir()


def clean(name: str) -> str:
    r"""Return a name that can be stored, shown, and have something put behind it.

    >>> clean("orders\n.csv"), len(clean("x" * 255 + ".csv"))
    ('orders_.csv', 200)
    """
    told = "".join(one if one.isprintable() else "_" for one in name)
    stem, suffix = os.path.splitext(told)
    while len(os.fsencode(stem + suffix)) > LONGEST_NAME_BYTES:
        stem, suffix = (stem[:-1], suffix) if stem else (suffix[:-1], "")
    return stem + suffix


def original(name: str) -> str:
    """Return the name of the file that rows to mend come from.

    >>> original("orders.csv.to-mend.csv"), original("orders.csv")
    ('orders.csv', 'orders.csv')
    """
    while TO_MEND in name:
        name = name.rpartition(TO_MEND)[0]
    return name


def signature_of(path: Path) -> Signature:
    """Return what tells that a file has changed.

    Raises:
        FileNotFoundError: another has taken it.

    """
    return _signature(path.stat(follow_symlinks=False))


def _signature(told: os.stat_result) -> Signature:
    return Signature(told.st_size, told.st_mtime_ns, told.st_ino)


def is_written(path: Path) -> bool:
    """Say whether some process has a file open for writing, as far as the system knows: Linux, on its own disks.

    It is asked for by a lease, which the system refuses then.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)  # who opens it meanwhile sends this, and it is ignored
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN  # any other: leases are not to be had here
    finally:
        os.close(file)
    return False
