"""The emulated world: which accounts there are, and what may be read of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.data import Ask, Data
from tap_supermetrics.emulator.sources import sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from tap_supermetrics.emulator.catalogue import Cell, Source

Key = tuple[str, str]
"""Data source and account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamList:
    """A team list; without a data source it is of all of them."""

    id: str
    ds_id: str
    slug: str
    accounts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class World(Data):
    """Accounts and their data at one time; `Changes` puts another world in its place.

    Attributes:
        terms_per_campaign: Search terms per Google Ads campaign and day.
        gone: Accounts no longer available.
        unlicensed: Accounts that are listed but may not be queried.
        lists: (data source, slug) -> accounts of a team list that was changed by hand.
        came: When an account came (back), in seconds since 1970-01-01 UTC.
    """

    terms_per_campaign: int = 460
    gone: frozenset[Key] = frozenset()
    unlicensed: frozenset[Key] = frozenset()
    lists: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    came: Mapping[Key, float] = field(default_factory=dict)

    @property
    def sources(self) -> Mapping[str, Source]:
        """Return the data sources by id."""
        return sources(self.terms_per_campaign)

    def team_list(self, ds_id: str, slug: str) -> tuple[str, ...] | None:
        """Return the accounts of a team list; None when there is no such list."""
        found = {(each.ds_id, each.slug): each.accounts for each in self.team_lists}
        own = found.get((ds_id, slug))
        return found.get(("", slug)) if own is None else own

    @property
    def team_lists(self) -> tuple[TeamList, ...]:
        """Return all team lists, in the order in which they were made."""
        ours = {
            (each.id, slug): ids
            for each in self.sources.values()
            for slug, ids in each.lists.items()
        }
        return tuple(
            TeamList(id=f"tml_{number}", ds_id=ds_id, slug=slug, accounts=accounts)
            for number, ((ds_id, slug), accounts) in enumerate({**ours, **self.lists}.items(), 1)
        )

    def is_gone(self, ds_id: str, account_id: str) -> bool:
        """Return whether an account is no longer (or never was) available."""
        account = self.sources[ds_id].account(account_id)
        return account is None or account.gone or (ds_id, account_id) in self.gone

    def is_unlicensed(self, ds_id: str, account_id: str) -> bool:
        """Return whether an account is listed but may not be queried."""
        account = self.sources[ds_id].account(account_id)
        return (account is not None and account.unlicensed) or (
            ds_id,
            account_id,
        ) in self.unlicensed

    def rows(  # noqa: PLR0913, PLR0917 - a query's parts, for tests to spell shortly
        self,
        ds_id: str,
        accounts: Sequence[str],
        first: date | None,
        last: date | None,
        field_ids: Sequence[str],
        asked_on: date,
    ) -> list[list[Cell]]:
        """Return every row of a query: no header, no limit, cells in the order of the fields.

        Args:
            ds_id: The data source.
            accounts: Account ids; those gone or unlicensed give no rows.
            first: First day, or None for a data source without dates.
            last: Last day, included.
            field_ids: Field ids in any case.
            asked_on: The emulated day on which it is asked.

        Returns:
            Rows with whole numbers as int, blank metrics as None, blank dimensions as "".
        """
        source = self.sources[ds_id]
        usable = [
            source.account(account)
            for account in accounts
            if not self.is_gone(ds_id, account) and not self.is_unlicensed(ds_id, account)
        ]
        ask = Ask(
            source=source,
            accounts=tuple(account for account in usable if account),
            first=first if source.has_dates else None,
            last=last if source.has_dates else None,
            fields=tuple(source.known_field(field_id) for field_id in field_ids),
            asked_on=asked_on,
        )
        return [list(row) for row in self.all_rows(ask)]
