"""Whose a campaign is: its full name, and which campaigns a scope sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstore.errors import InputError, UnknownNameError
from hstore.records import Visibility
from hstore_workflows.campaign.ledger import campaign_names, configs, open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore.records import Access, Scope
    from hstore.settings import Settings
    from hstore_workflows.campaign.config import CampaignConfig


def full_name(name: str, access: Access) -> str:
    """Return the name a campaign is kept under: a lab's begins with the lab, so that no two labs share one."""
    return f"{access.lab_id}:{name}" if access.visibility is Visibility.LAB else name


def visible_names(settings: Settings, scope: Scope) -> list[str]:
    """Return the names of the campaigns a scope sees, in alphabetical order."""
    if scope.everything:
        return campaign_names(settings)
    return [name for name, config in configs(settings).items() if config.allows(scope)]


def visible_config(settings: Settings, name: str, scope: Scope) -> CampaignConfig:
    """Return the settings of a campaign that a scope sees.

    Raises:
        UnknownNameError: there is none, or the scope does not see it; the message is the same.
    """
    found = configs(settings, name).get(name)
    if found is None or not found.allows(scope):
        raise UnknownNameError(f"no campaign {name!r} that you may see; /v1/campaigns lists those there are")
    return found


def set_members(settings: Settings, name: str, members: Iterable[str]) -> CampaignConfig:
    """Say which labs besides the owner work on a lab's campaign.

    Raises:
        InputError: the campaign belongs to no lab, so that everybody sees it already.
    """
    with open_ledger(settings, name, lock="ledger") as ledger:
        access = ledger.config.access
        if access.visibility is not Visibility.LAB:
            raise InputError(f"campaign {name!r} is open to everybody; only a lab's campaign has members")
        ledger.mend()
        ledger.renew(replace(ledger.config, members=tuple(sorted(set(members) - {access.lab_id or ""}))))
        return ledger.config
