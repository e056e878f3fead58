"""Notices to a browser by its push service (RFC 8030, 8188, 8291, 8292)."""

from signalfleet.adapters.web_push.client import WebPush
from signalfleet.adapters.web_push.sealing import VapidKey, new_vapid_key

__all__ = ["VapidKey", "WebPush", "new_vapid_key"]
