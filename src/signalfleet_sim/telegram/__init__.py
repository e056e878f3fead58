"""A loopback MTProto server that a stock Telegram client signs in to and listens on.

`World` holds the city: accounts, chats, keys. `TelegramServer` serves it. It knows the client
library's classes as a codec and nothing of the product.
"""

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.chats import Entity, SimChannel
from signalfleet_sim.telegram.errors import CityError
from signalfleet_sim.telegram.server import TelegramServer
from signalfleet_sim.telegram.world import World

__all__ = [
    "CityError",
    "Entity",
    "SimChannel",
    "SimSession",
    "SimUser",
    "TelegramServer",
    "World",
]
