"""The operator's bot at Telegram's Bot API: sends notices, and sees who presses Start."""

from signalfleet.adapters.bot_api.client import BotApi

__all__ = ["BotApi"]
