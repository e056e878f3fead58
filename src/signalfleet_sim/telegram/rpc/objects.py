"""Builds the TL objects that answers and updates are made of."""

from collections.abc import Iterable, Mapping
from typing import Final

from telethon.tl import types

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.chats import MIGRATED, Entity, SimChannel, SimMessage
from signalfleet_sim.telegram.codec import UNREADABLE, Raw, Tl
from signalfleet_sim.telegram.crypto import DH_PRIME_BYTES, GENERATOR
from signalfleet_sim.telegram.errors import CityError
from signalfleet_sim.telegram.srp import PasswordRecord
from signalfleet_sim.telegram.world import SERVICE_USER, World

GROUP_OWNER: Final = 699_000_001
VIEWS: Final = 100

ENTITY_TYPES: Final[Mapping[str, Tl]] = {
    "bold": types.MessageEntityBold,
    "italic": types.MessageEntityItalic,
    "underline": types.MessageEntityUnderline,
    "strike": types.MessageEntityStrike,
    "code": types.MessageEntityCode,
    "spoiler": types.MessageEntitySpoiler,
    "url": types.MessageEntityUrl,
    "mention": types.MessageEntityMention,
    "hashtag": types.MessageEntityHashtag,
    "cashtag": types.MessageEntityCashtag,
    "blockquote": types.MessageEntityBlockquote,
}


def peer(chat: SimChannel) -> Tl:
    """Return the peer that names a chat."""
    if chat.has_own_pts:
        return types.PeerChannel(chat.channel_id)
    if chat.kind == "group":
        return types.PeerChat(chat.channel_id)
    return types.PeerUser(chat.channel_id)


def user(world: World, viewer: SimUser, seen: SimUser) -> Tl:
    """Return an account as another one, or itself, sees it."""
    is_self = viewer is seen
    return types.User(
        id=seen.user_id,
        is_self=is_self,
        access_hash=world.access_hash(viewer, seen.user_id),
        first_name=seen.name,
        phone=seen.phone if is_self else None,
        deleted=seen.deleted,
        bot=seen.bot,
        bot_info_version=1 if seen.bot else None,
    )


def chat_object(world: World, viewer: SimUser, chat: SimChannel) -> Tl:
    """Return a chat as an account sees it; bot chats have none."""
    photo = types.ChatPhotoEmpty()
    is_member = viewer.user_id in chat.members
    if chat.kind == "group":
        return types.Chat(
            id=chat.channel_id,
            title=chat.title,
            photo=photo,
            participants_count=len(chat.members) + 1,
            date=chat.created_at,
            version=1,
            left=not is_member,
            noforwards=chat.noforwards,
            deactivated=chat.migrated_to is not None,
            migrated_to=_migrated_to(world, viewer, chat),
        )
    access_hash = world.access_hash(viewer, chat.channel_id)
    broadcast = chat.kind == "channel"
    if viewer.user_id in chat.banned or not (is_member or chat.username):
        return types.ChannelForbidden(
            id=chat.channel_id,
            access_hash=access_hash,
            title=chat.title,
            broadcast=broadcast,
            megagroup=not broadcast,
        )
    return types.Channel(
        id=chat.channel_id,
        title=chat.title,
        photo=photo,
        date=chat.created_at,
        access_hash=access_hash,
        left=not is_member,
        broadcast=broadcast,
        megagroup=not broadcast,
        username=chat.username,
        noforwards=chat.noforwards,
        forum=chat.forum,
        participants_count=len(chat.members) + 1,
    )


def _migrated_to(world: World, viewer: SimUser, chat: SimChannel) -> Tl:
    home = chat.migrated_to
    if home is None:
        return None
    return types.InputChannel(home.channel_id, world.access_hash(viewer, home.channel_id))


def message(chat: SimChannel, sent: SimMessage) -> Tl:
    """Return a message as it stands now."""
    if sent.garbled:
        return Raw(UNREADABLE)
    if sent.service is not None:
        return types.MessageService(
            id=sent.message_id,
            peer_id=peer(chat),
            date=sent.date,
            action=_action(chat, sent),
            post=chat.kind == "channel",
            from_id=_author(chat),
        )
    counted = VIEWS if chat.kind == "channel" else None
    return types.Message(
        id=sent.message_id,
        peer_id=peer(chat),
        date=sent.date,
        message=sent.text,
        post=chat.kind == "channel",
        from_id=_author(chat),
        noforwards=chat.noforwards,
        edit_hide=sent.edit_hide,
        edit_date=sent.edit_date,
        reply_to=_reply_header(sent),
        entities=[_entity(part) for part in sent.entities] or None,
        fwd_from=_forwarded(sent),
        media=types.MessageMediaUnsupported() if sent.media else None,
        grouped_id=sent.grouped_id,
        ttl_period=sent.ttl_s,
        views=counted,
        forwards=counted,
    )


def empty_message(chat: SimChannel | None, message_id: int) -> Tl:
    """Return what stands for a message that does not exist."""
    return types.MessageEmpty(id=message_id, peer_id=None if chat is None else peer(chat))


def dialog(chat: SimChannel, viewer: SimUser, *, with_pts: bool = True) -> Tl:
    """Return a chat's line in the list of chats."""
    ids = chat.ids_for(viewer.user_id)
    return types.Dialog(
        peer=peer(chat),
        top_message=ids[-1] if ids else 0,
        read_inbox_max_id=0,
        read_outbox_max_id=0,
        unread_count=0,
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        notify_settings=types.PeerNotifySettings(),
        pts=chat.pts if chat.has_own_pts and with_pts else None,
    )


def chats_and_users(
    world: World, viewer: SimUser, seen: Iterable[SimChannel]
) -> tuple[list[Tl], list[Tl]]:
    """Return the objects that go with messages of some chats."""
    chats: list[Tl] = []
    users: list[Tl] = []
    for chat in seen:
        if chat.kind == "bot":
            users.append(bot_user(world, viewer, chat))
            continue
        chats.append(chat_object(world, viewer, chat))
        if chat.kind == "group" and not any(known.id == GROUP_OWNER for known in users):
            users.append(group_owner(world, viewer))
    return chats, users


def bot_user(world: World, viewer: SimUser, chat: SimChannel) -> Tl:
    """Return the account behind a bot chat."""
    is_service = chat.channel_id == SERVICE_USER
    return types.User(
        id=chat.channel_id,
        access_hash=world.access_hash(viewer, chat.channel_id),
        first_name=chat.title,
        username=chat.username,
        bot=not is_service,
        bot_info_version=None if is_service else 1,
        support=is_service,
        verified=is_service,
    )


def group_owner(world: World, viewer: SimUser) -> Tl:
    """Return the account that writes everything in basic groups."""
    return types.User(
        id=GROUP_OWNER, access_hash=world.access_hash(viewer, GROUP_OWNER), first_name="Owner"
    )


def _author(chat: SimChannel) -> Tl:
    match chat.kind:
        case "supergroup":
            return types.PeerChannel(chat.channel_id)
        case "group":
            return types.PeerUser(GROUP_OWNER)
        case "channel" | "bot":
            return None


def _action(chat: SimChannel, sent: SimMessage) -> Tl:
    match sent.service:
        case "created":
            return types.MessageActionChannelCreate(chat.title)
        case "topic":
            title = chat.topics.get(sent.message_id, "topic")
            return types.MessageActionTopicCreate(title=title, icon_color=0)
        case "pinned":
            return types.MessageActionPinMessage()
        case str() as text if text.startswith(MIGRATED):
            return types.MessageActionChatMigrateTo(int(text.removeprefix(MIGRATED)))
        case str() as text:
            return types.MessageActionCustomAction(text)
        case None:
            raise CityError("an ordinary message has no action")


def _reply_header(sent: SimMessage) -> Tl:
    if sent.reply_to is None and sent.topic is None:
        return None
    in_topic = sent.topic is not None
    answers_inside = in_topic and sent.reply_to is not None and sent.reply_to != sent.topic
    return types.MessageReplyHeader(
        forum_topic=in_topic,
        quote=sent.quote is not None,
        reply_to_msg_id=sent.topic if sent.reply_to is None else sent.reply_to,
        reply_to_top_id=sent.topic if answers_inside else None,
        reply_to_peer_id=None if sent.reply_chat is None else peer(sent.reply_chat),
        quote_text=sent.quote,
    )


def _forwarded(sent: SimMessage) -> Tl:
    if not sent.forwarded:
        return None
    return types.MessageFwdHeader(date=sent.date, from_name="Somebody")


def _entity(part: Entity) -> Tl:
    if part.kind == "text_url":
        return types.MessageEntityTextUrl(part.offset, part.length, part.url or "")
    if part.kind == "pre":
        return types.MessageEntityPre(part.offset, part.length, "")
    return ENTITY_TYPES[part.kind](part.offset, part.length)


def authorization(session: SimSession, *, current: bool) -> Tl:
    """Return a device in the list of an account's devices."""
    device = session.device
    return types.Authorization(
        hash=0 if current else session.public_hash,
        current=current,
        device_model=device.device_model,
        platform="",
        system_version=device.system_version,
        api_id=device.api_id,
        app_name="",
        app_version=device.app_version,
        date_created=int(session.signed_in_at),
        date_active=int(session.active_at),
        ip="127.0.0.1",
        country="",
        region="",
    )


def password_algorithm(record: PasswordRecord) -> Tl:
    """Return how the client derives its proof from the password."""
    return types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
        salt1=record.salt1, salt2=record.salt2, g=GENERATOR, p=DH_PRIME_BYTES
    )
