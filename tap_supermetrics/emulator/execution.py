"""Runs a query: what it means, whether it may be read, how long it takes, and its rows."""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.blocks import chance
from tap_supermetrics.emulator.data import Ask
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.parameters import Question, question
from tap_supermetrics.emulator.tables import table

if TYPE_CHECKING:
    from tap_supermetrics.emulator.faults import Fault
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.queries import EmulatedQuery
    from tap_supermetrics.emulator.world import World


class Execution:
    """Runs queries.

    Args:
        options: Limits and durations.
        world: What queries read.

    Attributes:
        options: Those in force.
        world: As it is now.
    """

    def __init__(self, options: Options, world: World) -> None:
        self.options = options
        self.world = world

    def begin(self, query: EmulatedQuery, now: float) -> None:
        """Find what a query means, and the accounts that it reads.

        Raises:
            RefusalError: It cannot run.
        """
        query.question = self._question(query, now)
        query.accounts = self._readable(query.question)

    def _question(self, query: EmulatedQuery, now: float) -> Question:
        instant = datetime.fromtimestamp(now, timezone.utc)
        asked = question(query.params, self.world, self.options, instant)
        limit = self.options.max_days_per_query
        if limit and asked.first and asked.last and (asked.last - asked.first).days >= limit:
            raise RefusalError("QUERY_ERROR", "The data source could not handle the query.")
        return asked

    def _readable(self, asked: Question) -> tuple[str, ...]:
        """Return the accounts to read; a bad one fails them all, unless settings exclude it."""
        drops_all, name = asked.is_set("exclude_invalid_accounts"), asked.source.name
        drops_gone = drops_all or asked.is_set("exclude_unavailable_accounts")
        gone = [a for a in asked.account_ids if self.world.is_gone(asked.source.id, a)]
        barred = [a for a in asked.account_ids if self.world.is_unlicensed(asked.source.id, a)]
        if gone and not drops_gone:
            raise RefusalError(
                "QUERY_ACCOUNT_UNAVAILABLE", f'{name} account "{gone[0]}" is no longer available.'
            )
        if barred and not drops_all:
            raise RefusalError(
                "QUERY_ERROR",
                f"This query is trying to pull data from {len(barred)} accounts that are not "
                "listed as prioritised accounts.",
            )
        return tuple(a for a in asked.account_ids if a not in {*gone, *barred})

    def seconds(self, query: EmulatedQuery) -> float:
        """Return the time that a query runs, which is always the same."""
        text = json.dumps(query.params, sort_keys=True, default=str)
        span = self.options.max_seconds - self.options.min_seconds
        # Not `hash`, which gives each process other numbers.
        drawn = chance(self.options.seed, zlib.crc32(text.encode()))
        return self.options.min_seconds + span * drawn

    def read(self, query: EmulatedQuery, asked: Question, fault: Fault | None) -> None:
        """Give a query its rows."""
        found = (asked.source.account(account) for account in query.accounts)
        ask = Ask(
            source=asked.source,
            accounts=tuple(account for account in found if account),
            first=asked.first,
            last=asked.last,
            fields=tuple(field for _, field in asked.fields),
            asked_on=asked.today,
            filter=asked.filter,
            order=asked.order,
        )
        limit = asked.max_rows
        if self.options.max_rows_counts_header and not asked.is_set("no_headers"):
            limit = max(0, limit - 1)
        huge = fault.size if fault and fault.effect == "oversize" else 0
        query.table = table(self.world, ask, limit, huge)
        query.is_gone = bool(fault and fault.effect == "expire_query")
