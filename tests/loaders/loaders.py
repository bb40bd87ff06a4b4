"""The loaders that are tried: how each is told where to load, and what it holds afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from tests.postgres import Postgres

Stored = dict[str, Any]
SCHEMA = "tap_supermetrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a loader loads to: what Meltano tells it, and how a table is read afterwards."""

    env: Mapping[str, str]
    read: Callable[[str], Sequence[Stored]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """A loader with its settings.

    Attributes:
        name: in `meltano.yml`, where its version is pinned.
        place: makes an empty place to load to.
        env: settings that are not its defaults.
    """

    name: str
    place: Callable[[ExitStack], Place]
    env: Mapping[str, str] = field(default_factory=dict)


def _postgres(name: str, database: str) -> Callable[[ExitStack], Place]:
    def place(stack: ExitStack) -> Place:
        server = stack.enter_context(running_postgres())
        given = {"host": server.host, "port": server.port, "user": server.user}
        given |= {"password": server.password, database: server.database}
        env = {f"{name}_{key.upper()}": str(value) for key, value in given.items()}
        return Place(env=env, read=lambda table: _rows(server, table))

    return place


def _rows(server: Postgres, table: str) -> Sequence[Stored]:
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, table))
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=server.database,
    ) as connection:
        return connection.cursor(row_factory=dict_row).execute(query).fetchall()


FAST_POSTGRES = Loader(
    name="target-postgres",
    place=_postgres("TARGET_POSTGRES", "database"),
    env={"TARGET_POSTGRES_USE_COPY": "true", "TARGET_POSTGRES_VALIDATE_RECORDS": "false"},
)
"""It is installed with the tests; `tests/singer` loads by it as it comes."""
