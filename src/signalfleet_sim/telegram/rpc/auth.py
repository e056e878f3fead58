"""Signing in and out, two-step verification, and what a client asks about itself."""

import os
import secrets
from collections.abc import Mapping
from typing import Final

from telethon.tl import functions, types

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.codec import Tl
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.logins import CODE_DIGITS, SHORTEST_PHONE
from signalfleet_sim.telegram.rpc import objects
from signalfleet_sim.telegram.rpc.call import Call, Handler
from signalfleet_sim.telegram.srp import challenge
from signalfleet_sim.telegram.world import digits_of

CONFIG_LIFE_S: Final = 3600
CODE_TIMEOUT_S: Final = 60
FRESH_SESSION_S: Final = 24 * 3600


def get_config(call: Call) -> Tl:
    """Tell where the data centres are; most numbers matter to nobody."""
    now = call.world.now()
    ones = dict.fromkeys(CONFIG_NUMBERS, 1)
    return types.Config(
        date=now,
        expires=now + CONFIG_LIFE_S,
        test_mode=False,
        this_dc=call.session.dc,
        dc_options=[
            types.DcOption(id=dc, ip_address=host, port=port)
            for dc, (host, port) in sorted(call.world.addresses.items())
        ],
        dc_txt_domain_name="",
        me_url_prefix="https://t.me/",
        edit_time_limit=172_800,
        caption_length_max=1024,
        message_length_max=4096,
        **ones,
    )


CONFIG_NUMBERS: Final = (
    "chat_size_max",
    "megagroup_size_max",
    "forwarded_count_max",
    "online_update_period_ms",
    "offline_blur_timeout_ms",
    "offline_idle_timeout_ms",
    "online_cloud_timeout_ms",
    "notify_cloud_delay_ms",
    "notify_default_delay_ms",
    "push_chat_period_ms",
    "push_chat_limit",
    "revoke_time_limit",
    "revoke_pm_time_limit",
    "rating_e_decay",
    "stickers_recent_limit",
    "channels_read_media_period",
    "call_receive_timeout_ms",
    "call_ring_timeout_ms",
    "call_connect_timeout_ms",
    "call_packet_timeout_ms",
    "webfile_dc_id",
)


def send_code(call: Call) -> Tl:
    """Send a sign-in code to a phone, unless the account lives elsewhere or may not have one."""
    request = call.request
    _check_api(call, request.api_id, request.api_hash)
    phone = digits_of(request.phone_number)
    if len(phone) < SHORTEST_PHONE:
        raise RpcFault(400, "PHONE_NUMBER_INVALID")
    owner = call.world.user_by_phone(phone)
    if owner is not None:
        if owner.phone_state == "banned":
            raise RpcFault(400, "PHONE_NUMBER_BANNED")
        if owner.phone_state == "flood":
            raise RpcFault(400, "PHONE_NUMBER_FLOOD")
        if owner.dc != call.session.dc:
            raise RpcFault(303, f"PHONE_MIGRATE_{owner.dc}")
    return _sent_code(call, phone)


def resend_code(call: Call) -> Tl:
    """Send another code in place of the first."""
    phone = digits_of(call.request.phone_number)
    if not call.world.logins.cancel_code(phone, call.request.phone_code_hash):
        raise RpcFault(400, "PHONE_CODE_EXPIRED")
    return _sent_code(call, phone)


def cancel_code(call: Call) -> Tl:
    """Void a code that was sent."""
    phone = digits_of(call.request.phone_number)
    if not call.world.logins.cancel_code(phone, call.request.phone_code_hash):
        raise RpcFault(400, "PHONE_CODE_EXPIRED")
    return True


def sign_in(call: Call) -> Tl:
    """Sign in with a code; accounts with a password need that as well."""
    request = call.request
    phone = digits_of(request.phone_number)
    call.world.logins.check_code(phone, request.phone_code_hash, request.phone_code)
    owner = call.world.user_by_phone(phone)
    if owner is None:
        return types.auth.AuthorizationSignUpRequired()
    if owner.password is not None:
        call.session.pending = owner
        raise RpcFault(401, "SESSION_PASSWORD_NEEDED")
    return _authorization(call, owner)


def log_out(call: Call) -> Tl:
    """End the sign-in of this key; nothing may be asked with it afterwards."""
    if call.session.user is None and call.session.pending is None:
        raise RpcFault(401, "AUTH_KEY_UNREGISTERED")
    call.session.sign_out()
    call.session.logged_out = True
    return types.auth.LoggedOut()


def get_password(call: Call) -> Tl:
    """Ask for the password of two-step verification, if the account has one."""
    owner = call.session.pending or call.user
    answer = {
        "new_algo": types.PasswordKdfAlgoUnknown(),
        "new_secure_algo": types.SecurePasswordKdfAlgoUnknown(),
        "secure_random": os.urandom(16),
    }
    if owner.password is None:
        return types.account.Password(**answer)
    asked = challenge(call.world.logins.password_record(owner))
    srp_id = secrets.randbits(62)
    call.session.srp = {srp_id: asked}
    return types.account.Password(
        **answer,
        has_password=True,
        current_algo=objects.password_algorithm(asked.record),
        srp_B=asked.public,
        srp_id=srp_id,
        hint="the name of the city",
    )


def check_password(call: Call) -> Tl:
    """Sign in with the password; each question may be answered once."""
    owner = call.session.pending or call.user
    given = call.request.password
    if not isinstance(given, types.InputCheckPasswordSRP):
        raise RpcFault(400, "PASSWORD_HASH_INVALID")
    asked = call.session.srp.pop(given.srp_id, None)
    if asked is None:
        raise RpcFault(400, "SRP_ID_INVALID")
    if not asked.accepts(given.A, given.M1):
        raise RpcFault(400, "PASSWORD_HASH_INVALID")
    return _authorization(call, owner)


def export_login_token(call: Call) -> Tl:
    """Show a QR code, or tell that the last one was scanned."""
    _check_api(call, call.request.api_id, call.request.api_hash)
    accepted = call.world.logins.accepted_token(call.session)
    if accepted is not None and accepted.accepted_by is not None:
        owner = accepted.accepted_by
        if owner.dc != call.session.dc:
            return types.auth.LoginTokenMigrateTo(dc_id=owner.dc, token=accepted.token)
        call.world.logins.take_token(accepted.token)
        return _token_success(call, owner)
    shown = call.world.logins.new_token(call.session)
    return types.auth.LoginToken(expires=shown.expires, token=shown.token)


def import_login_token(call: Call) -> Tl:
    """Carry a scanned QR code over to the data centre of the account."""
    accepted = call.world.logins.take_token(call.request.token)
    if accepted.accepted_by is None:
        raise RpcFault(400, "AUTH_TOKEN_INVALID")
    return _token_success(call, accepted.accepted_by)


def accept_login_token(call: Call) -> Tl:
    """Confirm a QR code that another device shows."""
    shown = call.world.logins.accept_token(call.request.token, call.user)
    return objects.authorization(shown.session, current=False)


def get_authorizations(call: Call) -> Tl:
    """List the devices of the account."""
    devices = [
        objects.authorization(session, current=session is call.session)
        for session in call.user.sessions
    ]
    return types.account.Authorizations(authorization_ttl_days=180, authorizations=devices)


def reset_authorization(call: Call) -> Tl:
    """End another device's sign-in; a device of less than a day may not."""
    if call.world.time() - call.session.signed_in_at < FRESH_SESSION_S:
        raise RpcFault(406, "FRESH_RESET_AUTHORISATION_FORBIDDEN")
    for session in call.user.sessions:
        if session is not call.session and session.public_hash == call.request.hash:
            session.revoke()
            return True
    raise RpcFault(400, "HASH_INVALID")


def get_users(call: Call) -> Tl:
    """Return the accounts asked for; unknown ones are empty."""
    return [_user(call, named) for named in call.request.id]


def _user(call: Call, named: Tl) -> Tl:
    viewer = call.user
    if isinstance(named, types.InputUserSelf):
        return objects.user(call.world, viewer, viewer)
    if not isinstance(named, types.InputUser):
        raise RpcFault(400, "USER_ID_INVALID")
    bot = call.world.find_chat(named.user_id)
    seen = call.world.find_user(named.user_id)
    is_known = named.access_hash == call.world.access_hash(viewer, named.user_id)
    if seen is viewer or (seen is not None and is_known):
        return objects.user(call.world, viewer, seen)
    if bot is not None and is_known:
        return objects.bot_user(call.world, viewer, bot)
    return types.UserEmpty(id=named.user_id)


def _check_api(call: Call, api_id: int, api_hash: str) -> None:
    expected = call.world.api_credentials
    if expected is not None and expected != (api_id, api_hash):
        raise RpcFault(400, "API_ID_INVALID")


def _sent_code(call: Call, phone: str) -> Tl:
    sent = call.world.logins.send_code(phone)
    call.world.announce_code(phone, sent.code)
    return types.auth.SentCode(
        type=types.auth.SentCodeTypeApp(length=CODE_DIGITS),
        phone_code_hash=sent.phone_code_hash,
        timeout=CODE_TIMEOUT_S,
    )


def _authorization(call: Call, owner: SimUser) -> Tl:
    complete_sign_in(call, call.session, owner)
    return types.auth.Authorization(user=objects.user(call.world, owner, owner))


def _token_success(call: Call, owner: SimUser) -> Tl:
    if owner.password is not None:
        call.session.pending = owner
        raise RpcFault(401, "SESSION_PASSWORD_NEEDED")
    return types.auth.LoginTokenSuccess(authorization=_authorization(call, owner))


def complete_sign_in(call: Call, session: SimSession, owner: SimUser) -> None:
    """Tie a key to its account and void its QR codes."""
    session.sign_in(owner, call.world.time())
    call.world.logins.drop_tokens(session)


HANDLERS: Final[Mapping[type, Handler]] = {
    functions.help.GetConfigRequest: get_config,
    functions.auth.SendCodeRequest: send_code,
    functions.auth.ResendCodeRequest: resend_code,
    functions.auth.CancelCodeRequest: cancel_code,
    functions.auth.SignInRequest: sign_in,
    functions.auth.LogOutRequest: log_out,
    functions.auth.CheckPasswordRequest: check_password,
    functions.auth.ExportLoginTokenRequest: export_login_token,
    functions.auth.ImportLoginTokenRequest: import_login_token,
    functions.auth.AcceptLoginTokenRequest: accept_login_token,
    functions.account.GetPasswordRequest: get_password,
    functions.account.GetAuthorizationsRequest: get_authorizations,
    functions.account.ResetAuthorizationRequest: reset_authorization,
    functions.users.GetUsersRequest: get_users,
}
