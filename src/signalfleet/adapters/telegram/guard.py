"""Which requests may leave the process, per role. A session can do anything; we only read."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from telethon.tl import TLRequest, functions


class Role(StrEnum):
    READER = "reader"
    PICKER = "picker"
    LOGIN = "login"


class ForbiddenRequestError(Exception):
    """Our own code asked Telegram for something it must never ask; a defect, not an outage."""


_READER: Final[frozenset[type]] = frozenset(
    {
        functions.help.GetConfigRequest,
        functions.users.GetUsersRequest,
        functions.updates.GetStateRequest,
        functions.updates.GetDifferenceRequest,
        functions.updates.GetChannelDifferenceRequest,
        functions.messages.GetPeerDialogsRequest,
        functions.messages.GetHistoryRequest,
        functions.messages.GetMessagesRequest,
        functions.channels.GetMessagesRequest,
        functions.channels.GetChannelsRequest,
        functions.account.GetAuthorizationsRequest,
        functions.auth.LogOutRequest,
        functions.PingRequest,
    }
)

ALLOWED: Final[dict[Role, frozenset[type]]] = {
    Role.READER: _READER,
    Role.PICKER: _READER
    | {
        functions.messages.GetDialogsRequest,
        functions.contacts.ResolveUsernameRequest,
        functions.messages.CheckChatInviteRequest,
        functions.messages.GetForumTopicsRequest,
    },
    Role.LOGIN: frozenset(
        {
            functions.help.GetConfigRequest,
            functions.auth.SendCodeRequest,
            functions.auth.ResendCodeRequest,
            functions.auth.CancelCodeRequest,
            functions.auth.SignInRequest,
            functions.account.GetPasswordRequest,
            functions.auth.CheckPasswordRequest,
            functions.auth.ExportLoginTokenRequest,
            functions.auth.ImportLoginTokenRequest,
            functions.users.GetUsersRequest,
            functions.updates.GetStateRequest,
            functions.updates.GetDifferenceRequest,
            functions.account.GetAuthorizationsRequest,
            functions.auth.LogOutRequest,
            functions.PingRequest,
        }
    ),
}

BY_CLICK: Final[frozenset[type]] = frozenset(
    {functions.channels.JoinChannelRequest, functions.messages.ImportChatInviteRequest}
)
"""The only requests that change anything: one press of the account's owner lets one of them out."""

_WRAPPERS: Final[frozenset[type]] = frozenset(
    value
    for name, value in vars(functions).items()
    if isinstance(value, type)
    and issubclass(value, TLRequest)
    and name.startswith(("InvokeWith", "InvokeAfter", "InitConnection"))
)


def wanted(request: Any) -> Any:
    """Return the request inside any wrappers."""
    while type(request) in _WRAPPERS:
        request = request.query
    return request


def each_request(request: Any) -> Iterable[Any]:
    """Return the single requests of what the library was asked to send."""
    many = request if isinstance(request, (list, tuple)) else (request,)
    return tuple(wanted(one) for one in many)


def forbidden(role: Role, request: Any, *, clicked: Any = None) -> list[str]:
    """Return the names of the requests that are not on the role's list.

    `clicked` is the one joining request that its user has just pressed a button for.
    """
    return [
        type(one).__name__
        for one in each_request(request)
        if type(one) not in ALLOWED[role] and not _is_pressed(role, one, clicked)
    ]


def _is_pressed(role: Role, one: Any, clicked: Any) -> bool:
    return role is Role.PICKER and one is clicked and type(one) in BY_CLICK
