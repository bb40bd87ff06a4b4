"""Endpoints that tell what can be queried (Supermetrics docs, "Get accounts" and the like)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.emulator import answers
from tap_supermetrics.emulator.envelopes import Endpoints
from tap_supermetrics.emulator.parameters import account_ids, source_of, users_of, whole_number

if TYPE_CHECKING:
    from tap_supermetrics.emulator.incoming import Outgoing
    from tap_supermetrics.emulator.parameters import Params
    from tap_supermetrics.emulator.results import Call


class ListingEndpoints(Endpoints):
    """Answers requests about fields, accounts and segments."""

    def fields(self, call: Call) -> Outgoing:
        """Tell what a data source can be asked for."""
        source = source_of(call.params, self._engine.world, self._engine.options)
        # Custom fields are those of accounts, which take logins to be read ("Get fields").
        is_of_accounts = call.params.get("ds_accounts") and users_of(call.params)
        accounts = account_ids(call.params, source, self._engine.world) if is_of_accounts else ()
        return self._envelopes.json({}, answers.fields_of(source, accounts))

    def accounts(self, call: Call) -> Outgoing:
        """Tell the accounts of a data source."""
        world = self._engine.world
        source = source_of(call.params, world, self._engine.options)
        minutes = _cache_minutes(call.params)
        age = self._engine.options.accounts_age
        is_fresh = minutes is not None and minutes < age
        cached = self._engine.clock.seconds() - (0 if is_fresh else age * 60)
        listing = answers.Listing(
            world=world, users=users_of(call.params), cached=cached, is_fresh=is_fresh
        )
        data = answers.accounts_of(source, listing)
        return self._envelopes.json({"query": {"cache_minutes": minutes}}, data)

    def segments(self, call: Call) -> Outgoing:
        """Tell the segments of a data source."""
        source = source_of(call.params, self._engine.world, self._engine.options)
        minutes = _cache_minutes(call.params)
        return self._envelopes.json(
            {"query": {"cache_minutes": minutes}}, answers.segments_of(source.logins)
        )


def _cache_minutes(params: Params) -> int | None:
    """Return the minutes, clamped to 60..1440 (Supermetrics docs, "Get accounts")."""
    minutes = whole_number(params, "cache_minutes", None)
    return None if minutes is None else min(1440, max(60, minutes))
