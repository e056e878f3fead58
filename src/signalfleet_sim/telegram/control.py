"""The scripting interface as JSON over HTTP, for those who run in another process.

Every request carries `Authorization: Bearer <token>`; the token is made anew for each run. A
mistake of the caller is answered 400 with one sentence about it.
"""

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Final, TypeAlias

from aiohttp import web
from aiohttp.typedefs import Middleware

from signalfleet_sim.telegram.accounts import SimUser
from signalfleet_sim.telegram.chats import ChatKind, SimChannel
from signalfleet_sim.telegram.control_body import read_body
from signalfleet_sim.telegram.control_directory import Directory
from signalfleet_sim.telegram.control_faults import FaultSwitches
from signalfleet_sim.telegram.errors import CityError
from signalfleet_sim.telegram.server import TelegramServer
from signalfleet_sim.telegram.world import World

BODY_MAX: Final = 4 * 2**20
"""Drills post texts of a mebibyte."""

Reply: TypeAlias = Mapping[str, Any]
NEWEST_CALLS: Final = 1000


class Control:
    """Answers the requests; each handler changes the world at once."""

    def __init__(self, world: World, server: TelegramServer) -> None:
        self._world = world
        self._server = server
        self._find = Directory(world)
        self._faults = FaultSwitches(world)

    async def server_facts(self, request: web.Request) -> Reply:
        """Tell what a client must know to connect."""
        del request
        host, port = self._server.address
        return {
            "dc": self._server.dc,
            "address": f"{host}:{port}",
            "addresses": {dc: f"{h}:{p}" for dc, (h, p) in self._server.addresses.items()},
            "public_key": self._server.public_key_pem,
        }

    async def add_user(self, request: web.Request) -> Reply:
        """Open an account."""
        body = await read_body(request)
        user = self._world.user(
            body.take("phone", str),
            body.take("name", str),
            dc=body.take("dc", int, 2),
            password=body.maybe("password", str),
            bot=body.take("bot", bool, default=False),
        )
        return _user(user)

    async def list_users(self, request: web.Request) -> Reply:
        """List accounts and how they are connected."""
        del request
        return {"users": [_user(user) for user in self._world.users]}

    async def add_session(self, request: web.Request) -> Reply:
        """Sign a new key in without a key exchange."""
        body = await read_body(request)
        dc, host, port, key = self._world.premade_session(self._find.user(body))
        return {"dc": dc, "host": host, "port": port, "key": base64.b64encode(key).decode()}

    async def add_channel(self, request: web.Request) -> Reply:
        """Open a chat; `members` are phones."""
        body = await read_body(request)
        kind: Any = body.choice("kind", ChatKind, "channel")
        members = [self._find.by_phone(phone) for phone in body.take("members", list, [])]
        chat = self._world.channel(
            body.take("title", str),
            kind=kind,
            username=body.maybe("username", str),
            noforwards=body.take("noforwards", bool, default=False),
            forum=body.take("forum", bool, default=False),
        )
        for member in members:
            chat.join(member)
        return _chat(chat)

    async def list_channels(self, request: web.Request) -> Reply:
        """List chats."""
        del request
        return {"channels": [_chat(chat) for chat in self._world.channels]}

    async def post(self, request: web.Request) -> Reply:
        """Post a message and return its id; `times` posts it so often, for floods."""
        chat, body = self._chat(request), await read_body(request)
        post = partial(
            chat.post,
            body.take("text", str),
            reply_to=body.maybe("reply_to", int),
            quote=body.maybe("quote", str),
            topic=body.maybe("topic", int),
            entities=body.take("entities", list, []),
            forwarded=body.take("forwarded", bool, default=False),
            media=body.maybe("media", str),
            grouped_id=body.maybe("grouped_id", int),
            ttl_s=body.maybe("ttl_s", int),
            at=body.maybe("at", float),
        )
        for _ in range(body.take("times", int, 1) - 1):
            post()
        return {"message_id": post()}

    async def edit(self, request: web.Request) -> Reply:
        """Replace the text of a message."""
        chat, body = self._chat(request), await read_body(request)
        chat.edit(
            body.take("message_id", int),
            body.take("text", str),
            hide=body.take("hide", bool, default=False),
            entities=body.take("entities", list, []),
        )
        return {}

    async def delete(self, request: web.Request) -> Reply:
        """Delete messages."""
        chat, body = self._chat(request), await read_body(request)
        ids = body.take("message_ids", list)
        if not all(isinstance(message_id, int) for message_id in ids):
            raise CityError("message_ids must be whole numbers")
        chat.delete(ids)
        return {}

    async def service(self, request: web.Request) -> Reply:
        """Burn an id."""
        return {"message_id": self._chat(request).service()}

    async def topic(self, request: web.Request) -> Reply:
        """Open a forum topic."""
        chat, body = self._chat(request), await read_body(request)
        return {"topic": chat.topic(body.take("title", str))}

    async def member(self, request: web.Request) -> Reply:
        """Let a user join or leave, or ban them."""
        chat, body = self._chat(request), await read_body(request)
        act = {"join": chat.join, "leave": chat.leave, "ban": chat.ban}
        act[request.match_info["act"]](self._find.user(body))
        return {}

    async def invite(self, request: web.Request) -> Reply:
        """Make a link into a chat."""
        chat, body = self._chat(request), await read_body(request)
        link = self._world.invite(
            chat,
            needs_approval=body.take("needs_approval", bool, default=False),
            expired=body.take("expired", bool, default=False),
        )
        return {"hash": link, "link": f"https://t.me/+{link}"}

    async def code(self, request: web.Request) -> Reply:
        """Read the sign-in code that was sent to a phone."""
        return {"code": self._world.code_for(request.query.get("phone", ""))}

    async def scan(self, request: web.Request) -> Reply:
        """Scan a sign-in QR code with a user's phone."""
        body = await read_body(request)
        self._world.scan(body.take("url", str), self._find.user(body))
        return {}

    async def violations(self, request: web.Request) -> Reply:
        """List the breaches of good behaviour."""
        del request
        return {
            "violations": [asdict(violation) for violation in self._world.violations],
            "connects": self._world.journal.connects,
        }

    async def calls(self, request: web.Request) -> Reply:
        """List the newest calls of a user, or those made before signing in."""
        phone = request.query.get("phone")
        user = None if phone is None else self._find.by_phone(phone)
        return {"calls": [asdict(call) for call in self._world.calls(user)[-NEWEST_CALLS:]]}

    async def fault(self, request: web.Request) -> Reply:
        """Turn a fault on."""
        body = await read_body(request)
        self._faults.turn_on(body)
        return {}

    def _chat(self, request: web.Request) -> SimChannel:
        return self._find.chat(int(request.match_info["id"]))


def control_routes(world: World, server: TelegramServer, *, token: str) -> web.Application:
    """Return the application to be mounted; its paths are relative to `/telegram`."""
    control = Control(world, server)
    app = web.Application(middlewares=[_guard(token)], client_max_size=BODY_MAX)
    chat = r"/channels/{id:-?\d+}"
    app.add_routes(
        [
            web.get("/server", _json(control.server_facts)),
            web.post("/users", _json(control.add_user)),
            web.get("/users", _json(control.list_users)),
            web.post("/sessions", _json(control.add_session)),
            web.post("/channels", _json(control.add_channel)),
            web.get("/channels", _json(control.list_channels)),
            web.post(chat + "/post", _json(control.post)),
            web.post(chat + "/edit", _json(control.edit)),
            web.post(chat + "/delete", _json(control.delete)),
            web.post(chat + "/service", _json(control.service)),
            web.post(chat + "/topic", _json(control.topic)),
            web.post(chat + "/invite", _json(control.invite)),
            web.post(chat + "/{act:join|leave|ban}", _json(control.member)),
            web.get("/code", _json(control.code)),
            web.post("/scan", _json(control.scan)),
            web.get("/violations", _json(control.violations)),
            web.get("/calls", _json(control.calls)),
            web.post("/faults", _json(control.fault)),
        ]
    )
    return app


def _guard(token: str) -> Middleware:
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), token.encode()):
            return web.json_response({"error": "send the token of this run"}, status=401)
        try:
            return await handler(request)
        except CityError as error:
            return web.json_response({"error": str(error)}, status=400)

    return guard


def _json(
    handler: Callable[[web.Request], Awaitable[Reply]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(request: web.Request) -> web.Response:
        return web.json_response(await handler(request))

    return respond


def _user(user: SimUser) -> Reply:
    return {
        "user_id": user.user_id,
        "phone": user.phone,
        "name": user.name,
        "dc": user.dc,
        "sessions": len(user.sessions),
        "sockets": sum(len(session.wires) for session in user.sessions),
        "listening": sum(session.receiver is not None for session in user.sessions),
    }


def _chat(chat: SimChannel) -> Reply:
    return {
        "id": chat.chat_id,
        "title": chat.title,
        "kind": chat.kind,
        "username": chat.username,
        "pts": chat.pts,
        "top_message": chat.top_message,
        "members": len(chat.members),
    }
