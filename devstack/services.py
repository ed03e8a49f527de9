"""The two engines, or the addresses of somebody else's: what every command here stands on."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import StackError
from devstack.guard import Guard
from devstack.locking import PlaceLock
from devstack.place import make_private
from devstack.postgres import Postgres
from devstack.privileges import Account, choose_account, nobody
from devstack.valkey import Valkey

APPLICATION = "gateway"
LONGEST_RUN_DIR = 80  # a unix socket path must fit 104 bytes on macOS, with the socket's name


@dataclass(frozen=True)
class Urls:
    """Where the database and the broker are, in the spelling of the settings."""

    database_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        """Return them under the names the settings read."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


class Services:
    """A Postgres and a Valkey for one place, started together and never left behind.

    DATABASE_URL and REDIS_URL in `environ` each switch their engine off. With `ephemeral` `base`
    disappears with the engines, and they forget to sync unless told not to be `careless`. As a
    context manager it yields Urls.
    """

    def __init__(
        self,
        base: Path,
        ephemeral: bool = False,  # noqa: FBT001, FBT002 - the one switch; reads well by name
        *,
        careless: bool | None = None,
        account: Account | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.base = base.absolute()
        self.run_dir = run_dir_of(self.base)
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self._ephemeral = ephemeral
        self._careless = ephemeral if careless is None else careless
        self._account = account
        self._environ = environ
        self._guard: Guard | None = None
        self._lock = PlaceLock(self.base / "engines.lock")

    def start(self) -> Urls:
        """Start what the environment does not provide, and return where both are.

        Raises StackError with the one thing to show; by then nothing is left running.
        """
        make_private(self.base)
        self._lock.acquire()
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the engines, Valkey first; safe to call twice, and after a failed start."""
        guard, self._guard = self._guard, None
        if guard is None:
            self._lock.release()
            return
        for engine in (self.valkey, self.postgres):
            if engine is not None:
                engine.stop(guard)
        shutil.rmtree(self.run_dir, ignore_errors=True)
        if self._ephemeral:
            shutil.rmtree(self.base, ignore_errors=True)
            shutil.rmtree(outside_home(self.base), ignore_errors=True)
        guard.close()
        self._lock.release()

    def problem(self) -> str | None:
        """Return why an engine is not running any more, None while all is well."""
        engines = (engine for engine in (self.postgres, self.valkey) if engine is not None)
        return next((problem for engine in engines if (problem := engine.problem())), None)

    def kill(self) -> None:
        """End the engines at once; `stop` still cleans up. Safe in a signal handler."""
        for engine in (self.valkey, self.postgres):
            if engine is not None:
                engine.kill()

    def __enter__(self) -> Urls:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> Urls:
        given = {name: self._environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
        self._guard = guard = Guard()
        guard.remove(self.run_dir)
        if self._ephemeral:
            guard.remove(self.base)
        make_run_dir(self.run_dir)
        if not given["REDIS_URL"]:
            self.valkey = Valkey(home=self.base, run_dir=self.run_dir, careless=self._careless)
            self.valkey.launch(guard)
        if not given["DATABASE_URL"]:
            self.postgres = self._make_postgres(guard)
            self.postgres.launch(guard)
        return self._wait(given)

    def _wait(self, given: Mapping[str, str]) -> Urls:
        """Wait for both engines, which come up side by side."""
        for engine in (self.valkey, self.postgres):
            if engine is not None:
                engine.wait()
        return Urls(
            database_url=self.postgres.url if self.postgres else given["DATABASE_URL"],
            redis_url=self.valkey.url if self.valkey else given["REDIS_URL"],
        )

    def _make_postgres(self, guard: Guard) -> Postgres:
        account = self._account or choose_account()
        home = self.base
        if account.uid is not None:
            home = self._home_within_reach(account)
            os.chown(self.run_dir, account.uid, account.gid or 0)
        if home != self.base and self._ephemeral:
            guard.remove(home)
        return Postgres(home=home, run_dir=self.run_dir, account=account, careless=self._careless)

    def _home_within_reach(self, account: Account) -> Path:
        """Return where another account can keep the data: our folder, or one outside a closed tree.

        No parent's permissions are touched: a checkout under root's home must stay closed.
        """
        self.base.chmod(0o711)  # its own contents say who may read them; this only lets pass
        if account.can_run(["test", "-x", str(self.base)]):
            return self.base
        home = outside_home(self.base)
        home.mkdir(mode=0o711, exist_ok=True)
        check_ours(home)
        home.chmod(0o711)
        return home


def run_dir_of(base: Path) -> Path:
    """Return the short folder for the sockets of one place: a unix socket path is limited."""
    root = Path(tempfile.gettempdir())
    if len(str(root)) + len(_name_of(base)) > LONGEST_RUN_DIR:
        root = Path("/tmp")  # noqa: S108 - the folder inside is private and its owner is checked
    return root / _name_of(base)


def outside_home(base: Path) -> Path:
    """Return where the data of a place goes when `nobody` cannot enter the place."""
    return Path("/var/tmp") / _name_of(base)  # noqa: S108 - private, owner checked, survives boots


def make_run_dir(folder: Path) -> None:
    """Create the folder for the sockets, empty and ours, or refuse."""
    if folder.is_symlink() or folder.exists():
        check_ours(folder)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def check_ours(folder: Path) -> None:
    """Refuse a folder in a shared place that somebody else put there first."""
    found = folder.lstat()
    owners = {os.geteuid()}
    if os.geteuid() == 0:
        owners.add(nobody().uid or 0)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise StackError(f"{folder} belongs to somebody else; remove it or set TMPDIR")


def _name_of(base: Path) -> str:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(base))).hexdigest()[:8]
    return f"{APPLICATION}-{os.geteuid()}-{digest}"
