"""Of all requests that the library knows, exactly the listed ones may leave, per role."""

import inspect

import pytest
from telethon import TelegramClient
from telethon.network import MTProtoSender
from telethon.tl import functions

from kit.telegram_requests import ALL, WRAPPERS
from signalfleet.adapters.telegram.guard import ALLOWED, Role, forbidden

READER = """help.GetConfig users.GetUsers updates.GetState updates.GetDifference
    updates.GetChannelDifference messages.GetPeerDialogs messages.GetHistory messages.GetMessages
    channels.GetMessages channels.GetChannels account.GetAuthorizations auth.LogOut Ping""".split()
PICKER = """messages.GetDialogs contacts.ResolveUsername messages.CheckChatInvite
    messages.GetForumTopics""".split()
LOGIN = """help.GetConfig auth.SendCode auth.ResendCode auth.CancelCode auth.SignIn
    account.GetPassword auth.CheckPassword auth.ExportLoginToken auth.ImportLoginToken
    users.GetUsers updates.GetState updates.GetDifference account.GetAuthorizations auth.LogOut
    Ping""".split()


def named(kind: type) -> str:
    space = kind.__module__.removeprefix(functions.__name__).lstrip(".")
    name = kind.__name__.removesuffix("Request")
    return f"{space}.{name}" if space else name


def bare(kind: type) -> object:
    return object.__new__(kind)


def test_the_library_knows_as_many_requests_as_were_reviewed() -> None:
    assert len(ALL) == 823


@pytest.mark.parametrize(
    ("role", "listed"),
    [(Role.READER, READER), (Role.PICKER, READER + PICKER), (Role.LOGIN, LOGIN)],
)
def test_exactly_the_listed_requests_pass(role: Role, listed: list[str]) -> None:
    plain = ALL - WRAPPERS | ALLOWED[role]
    passed = {named(kind) for kind in plain if not forbidden(role, bare(kind))}
    assert passed == set(listed)


@pytest.mark.parametrize("role", list(Role))
def test_what_writes_is_on_no_list(role: Role) -> None:
    for kind in (
        functions.messages.SendMessageRequest,
        functions.messages.ReadHistoryRequest,
        functions.channels.JoinChannelRequest,
        functions.account.UpdateStatusRequest,
        functions.account.DeleteAccountRequest,
    ):
        assert forbidden(role, bare(kind)) == [kind.__name__]


@pytest.mark.parametrize("role", list(Role))
def test_a_wrapper_hides_nothing(role: Role) -> None:
    good = functions.help.GetConfigRequest()
    bad = functions.account.UpdateStatusRequest(offline=False)
    for query, refused in ((good, []), (bad, ["UpdateStatusRequest"])):
        once = functions.InvokeWithoutUpdatesRequest(query)
        twice = functions.InvokeWithLayerRequest(229, once)
        assert forbidden(role, once) == refused
        assert forbidden(role, twice) == refused
        assert forbidden(role, [good, twice]) == refused


def test_one_press_lets_that_one_join_out_and_nothing_else() -> None:
    pressed = functions.messages.ImportChatInviteRequest("AbCdEfGh")
    same = functions.messages.ImportChatInviteRequest("AbCdEfGh")
    assert forbidden(Role.PICKER, pressed, clicked=pressed) == []
    assert forbidden(Role.PICKER, same, clicked=pressed) == ["ImportChatInviteRequest"]
    assert forbidden(Role.PICKER, [pressed, same], clicked=pressed) == ["ImportChatInviteRequest"]
    for role in (Role.READER, Role.LOGIN):
        assert forbidden(role, pressed, clicked=pressed) == ["ImportChatInviteRequest"]
    sending = functions.messages.ReadHistoryRequest(peer="x", max_id=0)
    assert forbidden(Role.PICKER, sending, clicked=sending) == ["ReadHistoryRequest"]


def test_what_is_no_request_does_not_pass() -> None:
    for thing in (None, 1, "help.getConfig", object()):
        assert forbidden(Role.READER, thing)


def test_the_pinned_library_has_what_the_client_overrides() -> None:
    call = inspect.signature(TelegramClient._call)
    assert list(call.parameters) == [
        "self",
        "sender",
        "request",
        "ordered",
        "flood_sleep_threshold",
    ]
    assert list(inspect.signature(TelegramClient._switch_dc).parameters) == ["self", "new_dc"]
    assert inspect.iscoroutinefunction(TelegramClient._switch_dc)
    assert "ordered" in inspect.signature(MTProtoSender.send).parameters
    assert "_updates_error" in inspect.getsource(TelegramClient._run_until_disconnected)
    assert TelegramClient.__version__ == "1.45.0"
