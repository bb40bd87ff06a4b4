"""Endpoints beside queries: team lists.

Source: Supermetrics docs, "Manage team lists".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_supermetrics.emulator.failures import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.incoming import Outgoing
    from tap_supermetrics.emulator.results import Call
    from tap_supermetrics.emulator.world import TeamList


class Management:
    """Answers requests about what a team keeps.

    Args:
        engine: Knows the world.
        json: Makes an answer of `meta` and data.
    """

    def __init__(self, engine: Engine, json: Callable[..., Outgoing]) -> None:
        self._engine = engine
        self._json = json

    def team_lists(self, _call: Call) -> Outgoing:
        """Tell all team lists, without what is in them."""
        return self._json({}, [self._shown(each) for each in self._engine.world.team_lists])

    def team_list(self, call: Call) -> Outgoing:
        """Tell one team list."""
        return self._json({}, self._shown(self._list(call)))

    def team_list_accounts(self, call: Call) -> Outgoing:
        """Tell who is in a team list: one text, ids separated by line feeds."""
        return self._json({}, "\n".join(self._list(call).accounts))

    def _list(self, call: Call) -> TeamList:
        for each in self._engine.world.team_lists:
            if each.id == call.ids[0]:
                return each
        raise RefusalError("LIST_NOT_FOUND", f"There is no list {call.ids[0]}.")

    def _shown(self, one: TeamList) -> dict[str, Any]:
        source = self._engine.world.sources.get(one.ds_id)
        return {
            "@type": "team_list",
            "list_id": one.id,
            "list_slug": one.slug,
            "list_name": one.slug.capitalize(),
            "list_type": "account_ids",
            "ds_id": one.ds_id,
            "ds_name": source.name if source else "",
            "show_in_products": ["API"],
        }
