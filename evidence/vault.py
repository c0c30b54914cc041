"""Where evidence is kept: under its SHA-256, in a folder or in an S3-compatible store."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from language import tr
from workflow.errors import AftersalesError, UsageError

_UNFINISHED = "#"
"""In the name of a file that the store of a folder has not written whole: it is renamed at the end."""
LINK_LASTS = timedelta(days=7)
"""The longest that S3 allows."""
ORIGINALS, SHOWN = "originals", "shown"
"""Originals are sealed: nothing shows them; what is shown is a copy without location data (rule 8.8)."""


WORKSPACE = "workspace"
"""Beside the files that are kept: copies of files that are being looked at."""


class VaultFailed(AftersalesError):
    """The store of evidence cannot be used now, or has lost a file."""


class FileChanged(VaultFailed):
    """An original is not the file that was added: its digest is not its name."""


@dataclass(frozen=True, slots=True)
class S3Access:
    """How an S3-compatible store is reached; without an endpoint it is Amazon's."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = None


class Vault:
    """Keeps files by their digests; the same file is kept once."""

    def __init__(self, location: str, s3: S3Access) -> None:
        """Take `location`: a folder, or s3://BUCKET/PREFIX.

        Raises:
            UsageError: it is another kind of address.

        """
        self.location = location
        self._s3 = s3
        if "://" in location and not location.startswith("s3://"):
            raise UsageError(
                tr("evidence is kept in a folder or in s3://BUCKET/PREFIX, not in {location!r}", location=location)
            )

    def put(self, folder: str, sha256: str, file: Path) -> bool:
        """Keep a file under a digest; return whether it was not there before.

        Raises:
            VaultFailed: the store cannot be written.

        """
        with self._open() as store:
            try:
                obstore.put(store, _key(folder, sha256), file, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def get(self, folder: str, sha256: str) -> bytes:
        """Return a kept file.

        Raises:
            VaultFailed: it is not there, or the store cannot be read.

        """
        with self._open() as store:
            try:
                return obstore.get(store, _key(folder, sha256)).bytes().to_bytes()
            except FileNotFoundError:
                raise VaultFailed(
                    tr("the file {sha256}… is missing from {location}", sha256=sha256[:12], location=self.location)
                ) from None

    def link(self, folder: str, sha256: str) -> str | None:
        """Return an address under which a kept file can be fetched for a week, whoever knows it; None of a folder.

        Raises:
            VaultFailed: the store's access is set up wrongly.

        """
        if self.folder is not None:
            return None
        with self._open() as store:
            return str(obstore.sign(cast(Any, store), "GET", _key(folder, sha256), LINK_LASTS))

    def original(self, sha256: str) -> bytes:
        """Return a kept original, held against its digest.

        Raises:
            FileChanged: it is not what was added.
            VaultFailed: it is not there, or the store cannot be read.

        """
        content = self.get(ORIGINALS, sha256)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise FileChanged(
                tr(
                    "the file {sha256}… of {location} is damaged: it is not what was added",
                    sha256=sha256[:12],
                    location=self.location,
                )
            )
        return content

    def remove(self, sha256: str) -> None:
        """Remove the original and the copy that is shown, if they are there.

        Raises:
            VaultFailed: the store cannot be written.

        """
        for folder in (ORIGINALS, SHOWN):
            self.remove_from(folder, sha256)

    def remove_from(self, folder: str, sha256: str) -> None:
        """Remove one file, if it is there."""
        with self._open() as store:
            try:
                obstore.delete(store, _key(folder, sha256))
            except FileNotFoundError:
                return

    def kept(self) -> Iterator[tuple[str, str, datetime]]:
        """Yield every file that is kept: its folder, its digest, and since when.

        Raises:
            VaultFailed: the store cannot be listed.

        """
        if self.folder is not None and not self.folder.is_dir():
            return
        with self._open() as store:
            for folder in (ORIGINALS, SHOWN):
                for found in obstore.list(store, prefix=folder):
                    for one in found:
                        yield folder, one["path"].rpartition("/")[2], one["last_modified"]

    @property
    def folder(self) -> Path | None:
        """Where the files are, if it is a folder of this machine."""
        return None if self.location.startswith("s3://") else Path(self.location)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Give a folder for copies while files are looked at: beside those that are kept, readable by their owner alone.

        What a killed process leaves in it, `remove_left_behind` removes.

        Raises:
            VaultFailed: it cannot be made.

        """
        try:
            home = self.folder
            if home is not None:
                home = home / WORKSPACE
                home.mkdir(parents=True, exist_ok=True, mode=0o700)
            with TemporaryDirectory(prefix="aftersales-", dir=home) as folder:
                yield Path(folder)
        except OSError as error:
            raise VaultFailed(
                tr("evidence cannot be looked at in {location}: {strerror}", location=self.location, strerror=error.strerror)
            ) from None

    def remove_left_behind(self, before: datetime) -> None:
        """Remove what processes that were killed have left before an instant: copies, and files that are not whole."""
        if self.folder is None:
            return
        home = self.folder / WORKSPACE
        copies = home.iterdir() if home.is_dir() else ()
        unfinished = (path for folder in (ORIGINALS, SHOWN) for path in (self.folder / folder).rglob(f"*{_UNFINISHED}*"))
        for one in (*copies, *unfinished):
            if one.stat().st_mtime >= before.timestamp():
                continue
            if one.is_dir():
                shutil.rmtree(one, ignore_errors=True)
            else:
                one.unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[ObjectStore]:
        try:
            yield self._store()
        except (BaseError, OSError, ValueError) as error:
            raise VaultFailed(
                tr("evidence cannot be kept in or fetched from {location}: {error}", location=self.location, error=_said(error))
            ) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # how a library written in Rust refuses an endpoint
                raise
            raise VaultFailed(
                tr("evidence cannot be kept in {location}: look at [s3] in the settings", location=self.location)
            ) from None

    def _store(self) -> ObjectStore:
        if not self.location.startswith("s3://"):
            folder = Path(self.location)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return LocalStore(folder)
        bucket, _, prefix = self.location.removeprefix("s3://").partition("/")
        access = self._s3
        known = {
            "endpoint": access.endpoint,
            "region": access.region,
            "access_key_id": access.access_key_id,
            "secret_access_key": access.secret_access_key,
        }
        config: Any = {name: value for name, value in known.items() if value}
        insecure = bool(access.endpoint and access.endpoint.startswith("http://"))
        return S3Store(bucket, prefix=prefix or None, config=config, client_options={"allow_http": insecure})


def _key(folder: str, sha256: str) -> str:
    return f"{folder}/{sha256[:2]}/{sha256}"


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
