"""A real PostgreSQL for tests: initdb into a temporary folder, a free port, no password, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PLACES = "/usr/lib/postgresql/*/bin"  # where Debian puts what it does not put on PATH
UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class PostgresServer:
    programs: Path
    folder: Path
    port: int

    @classmethod
    def start(cls) -> PostgresServer | str:
        """A running server, or in words why there is none."""
        programs = _programs()
        if programs is None:
            return "PostgreSQL is not installed: no initdb on PATH or under /usr/lib/postgresql"
        folder = Path(tempfile.mkdtemp(prefix="sigverify-pg-"))
        server = cls(programs, folder, _free_port())
        if os.geteuid() == 0:
            os.chown(folder, *_ids())
        server._run("initdb", "-D", "data", "-U", "sigverify", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-h 127.0.0.1 -p {server.port} -k {folder} -c fsync=off"
        server._run("pg_ctl", "-D", "data", "-w", "-t", "60", "-l", "log", "-o", options, "start")
        return server

    def new_database(self) -> str:
        """The URL of an empty place: a schema of its own, which is made in no time (a database is seven megabytes)."""
        name = f"t{uuid.uuid4().hex[:12]}"
        server = f"postgresql://sigverify@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{server}?options=-csearch_path%3D{name}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        """As an ordinary user: PostgreSQL refuses to run as root."""
        who: dict[str, Any] = {}
        if os.geteuid() == 0:
            uid, gid = _ids()
            who = {"user": uid, "group": gid, "extra_groups": []}
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,  # the server inherits it, so a pipe would never end
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            timeout=120,
            **who,
        )
        assert done.returncode == 0, f"{program}: {(done.stderr or b'').decode()[-2000:]}"


def _programs() -> Path | None:
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/").glob(PLACES.lstrip("/")), reverse=True)
    needed = ("initdb", "pg_ctl", "postgres")
    return next((f for f in folders if all((f / p).exists() for p in needed)), None)


def _ids() -> tuple[int, int]:
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise AssertionError("root needs an unprivileged user (postgres or nobody) to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
