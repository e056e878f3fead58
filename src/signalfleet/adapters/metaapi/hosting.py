"""Accounts at the provisioning service: bodies out, accounts in, refusals by their reason. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from signalfleet.adapters.metaapi import json_text, limits
from signalfleet.adapters.metaapi.answers import Answer, error_body
from signalfleet.adapters.metaapi.fields import Fields
from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.provisioning import (
    AccountRefusal,
    AccountRefusedError,
    HostedAccount,
    NewAccount,
    NewDemoAccount,
)

Body = dict[str, object]

_CODE: Final = re.compile(r"\bE_[A-Z][A-Z_]{2,40}\b")
_BAD_REQUEST: Final = 400
_QUOTA: Final = re.compile(r"\bquota\b", re.IGNORECASE)

# metaapi.cloud/docs/provisioning/api/account/createAccount names the first three; the fourth is the
# simulator's guess at what an exceeded quota looks like, so its text is looked at too.
_REFUSALS: Final = {
    "E_AUTH": (AccountRefusal.WRONG_LOGIN, "the broker refuses this login and password"),
    "E_SRV_NOT_FOUND": (AccountRefusal.SERVER_NOT_FOUND, "MetaApi does not know this server"),
    "E_SERVER_TIMEZONE": (
        AccountRefusal.SERVER_SETTINGS,
        "MetaApi could not find out this server's settings now",
    ),
    "E_QUOTA": (AccountRefusal.QUOTA, "this MetaApi user may have no more accounts"),
}


def account_body(wish: NewAccount) -> Body:
    """Write a new account. Without login and password the service makes a draft of it."""
    if (wish.login is None) != (wish.password is None):
        raise DomainError("login and password are given both or not at all")
    if wish.login is not None and not (wish.login.isascii() and wish.login.isdecimal()):
        raise DomainError("a MetaTrader login has digits only")
    if wish.has_manual_trades and wish.magic:
        raise DomainError("an account with manual trades must have the magic number 0")
    if not (wish.name.strip() and wish.server.strip() and wish.region.strip()):
        raise DomainError("an account needs a name, a server and a region")
    notes = dict(wish.notes)
    if len(json_text.encode(notes)) > limits.METADATA_CHARS:
        raise DomainError(f"the notes of an account have at most {limits.METADATA_CHARS} letters")
    body: Body = {
        "name": wish.name,
        "server": wish.server,
        "magic": wish.magic,
        "region": wish.region,
        "platform": "mt5",
        "type": "cloud-g2",
        "reliability": "high",
        "manualTrades": wish.has_manual_trades,
        "quoteStreamingIntervalInSeconds": limits.QUOTE_STREAMING_S,
        "resourceSlots": 1,
    }
    if wish.login is not None and wish.password is not None:
        body |= {"login": wish.login, "password": wish.password.reveal()}
    if wish.keywords:
        body["keywords"] = list(wish.keywords)
    if notes:
        body["metadata"] = notes
    return body


def demo_body(wish: NewDemoAccount) -> Body:
    body: Body = {
        "accountType": wish.account_type,
        "balance": wish.balance,
        "email": wish.email,
        "leverage": wish.leverage,
        "name": wish.name,
        "phone": wish.phone,
        "serverName": wish.server,
    }
    if wish.keywords:
        body["keywords"] = list(wish.keywords)
    return body


# What a bot needs of a token. Names and body: docs/tokenManagementApi.md of MetaApi's own
# repository metaapi-javascript-sdk.
_APPLICATIONS: Final = ("trading-account-management-api", "metaapi-rest-api")
_ROLES: Final = ("reader", "writer")


def narrowed_body(manifest: object, account_ids: Sequence[str]) -> Body | None:
    """Write what a narrowed token may reach; None if the manifest does not offer all of it."""
    if not isinstance(manifest, list):
        return None
    offered = {one.get("id"): one for one in manifest if isinstance(one, dict)}
    for application in _APPLICATIONS:
        rules = offered.get(application)
        if rules is None or "account" not in _named(rules, "entities", "entity"):
            return None
        if not set(_ROLES) <= _named(rules, "roles", "role"):
            return None
    return {
        "applications": list(_APPLICATIONS),
        "roles": list(_ROLES),
        "resources": [{"entity": "account", "id": one} for one in account_ids],
    }


def _named(rules: Mapping[str, object], group: str, field: str) -> set[object]:
    rows = rules.get(group)
    return (
        {row.get(field) for row in rows if isinstance(row, dict)}
        if isinstance(rows, list)
        else set()
    )


def hosted_account(fields: Fields) -> HostedAccount:
    return HostedAccount(
        account_id=fields.text("_id"),
        name=fields.text("name", ""),
        server=fields.text("server", ""),
        region=fields.text("region", ""),
        state=fields.text("state"),
        connection=fields.text("connectionStatus", "DISCONNECTED"),
        login=fields.maybe_text("login"),
        magic=fields.whole("magic", 0),
        has_manual_trades=fields.flag("manualTrades", default=False),
    )


def account_refusal(answer: Answer) -> RefusedError | None:
    """Return why an account is refused, from `details` in any of its three shapes."""
    body = error_body(answer)
    if body is None or answer.status != _BAD_REQUEST or not isinstance(answer.payload, dict):
        return None
    found = next(iter(_codes_in(answer.payload.get("details"))), None)
    if found in _REFUSALS:
        refusal, text = _REFUSALS[found]
        return AccountRefusedError(text, refusal=refusal)
    if _QUOTA.search(body.text):
        refusal, text = _REFUSALS["E_QUOTA"]
        return AccountRefusedError(text, refusal=refusal)
    return AccountRefusedError(f"MetaApi refuses: {body.text}", refusal=AccountRefusal.OTHER)


def _codes_in(details: object) -> list[str]:
    match details:
        case str():
            return _CODE.findall(details)
        case dict():
            return [code for part in details.values() for code in _codes_in(part)]
        case list():
            return [code for part in details for code in _codes_in(part)]
        case _:
            return []
