"""Under which account Postgres runs: it refuses uid 0, and developers in containers are root."""

import os
import pwd
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import StackError

OVERFLOW_ID = 65534  # what an unmapped id looks like in a user namespace
PROBE_SECONDS = 10


@dataclass(frozen=True)
class Account:
    """A way to run a program so that it does not see itself as root.

    `uid` is set where files and processes really change hands; a namespace only renames them.
    """

    name: str
    namespace: bool = False
    uid: int | None = None
    gid: int | None = None

    def command(self, command: Sequence[str], death_signal: signal.Signals) -> list[str]:
        """Return the command line that runs `command` under this account.

        The kernel forgets a parent-death signal when credentials change, so inside a namespace it
        is asked for again (PR_SET_PDEATHSIG in prctl(2)).
        """
        if not self.namespace:
            return list(command)
        mapped = [f"--map-user={OVERFLOW_ID}", f"--map-group={OVERFLOW_ID}"]
        die = ["setpriv", "--pdeathsig", death_signal.name.removeprefix("SIG"), "--"]
        return ["unshare", "--user", *mapped, "--", *die, *command]

    def run(
        self, command: Sequence[str], *, seconds: float, environ: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a short program to its end and return its output, both streams in one."""
        return subprocess.run(
            self.command(command, signal.SIGTERM),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environ,
            cwd="/",
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def can_run(self, command: Sequence[str]) -> bool:
        """Say whether this account can reach and run a program."""
        try:
            return self.run(command, seconds=PROBE_SECONDS).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False

    def adopt(self, path: Path) -> None:
        """Give a tree to this account where an earlier start left it to another one."""
        uid, gid = (os.geteuid(), os.getegid()) if self.uid is None else (self.uid, self.gid or 0)
        if os.geteuid() != 0 or path.stat().st_uid == uid:
            return
        for folder, _, files in os.walk(path):
            for name in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118 - os.walk speaks strings
                os.chown(name, uid, gid, follow_symlinks=False)


OURSELVES = Account("ourselves")
NAMESPACE = Account("namespace", namespace=True)


def nobody() -> Account:
    """Return the account that changes to `nobody` for real."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:  # a stripped image; initdb will say that it wants a name
        return Account("nobody", uid=OVERFLOW_ID, gid=OVERFLOW_ID)
    return Account("nobody", uid=entry.pw_uid, gid=entry.pw_gid)


def choose_account() -> Account:
    """Return the least intrusive account that works on this machine."""
    if os.geteuid() != 0:
        return OURSELVES
    for account in (NAMESPACE, nobody()):
        if account.can_run(["true"]):
            return account
    raise StackError(
        "Postgres refuses to run as root, and this root may neither unshare a user namespace nor"
        " become nobody: run as an ordinary user, or set DATABASE_URL to a database of yours"
    )
