"""Notices by e-mail, through the operator's mail server."""

from signalfleet.adapters.smtp.client import SmtpMessenger, SmtpSettings

__all__ = ["SmtpMessenger", "SmtpSettings"]
