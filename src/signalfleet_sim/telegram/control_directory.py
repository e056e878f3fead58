"""Finds the accounts and chats that a request to the scripting interface names."""

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.chats import SimChannel
from signalfleet_sim.telegram.control_body import Body
from signalfleet_sim.telegram.errors import CityError
from signalfleet_sim.telegram.world import World


class Directory:
    """Looks things up by phone and by chat id."""

    def __init__(self, world: World) -> None:
        self._world = world

    def user(self, body: Body) -> SimUser:
        """Return the account whose phone the body names."""
        return self.by_phone(body.take("phone", str))

    def maybe_user(self, body: Body) -> SimUser | None:
        """Return the account whose phone the body names, if it names one."""
        phone = body.maybe("phone", str)
        return None if phone is None else self.by_phone(phone)

    def by_phone(self, phone: object) -> SimUser:
        """Return the account of a phone."""
        user = self._world.user_by_phone(str(phone))
        if user is None:
            raise CityError("no account has this phone")
        return user

    def sessions(self, body: Body) -> list[SimSession]:
        """Return the keys of the account the body names, or of all."""
        user = self.maybe_user(body)
        chosen = self._world.users if user is None else [user]
        return [session for owner in chosen for session in owner.sessions]

    def chat(self, chat_id: int) -> SimChannel:
        """Return the chat with a marked id."""
        chat = self._world.find_chat(chat_id)
        if chat is None:
            raise CityError(f"no chat has the id {chat_id}; ids of channels start with -100")
        return chat
