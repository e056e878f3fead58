"""The keys for what users type: the web process seals with one, a worker opens with the other."""

from dataclasses import dataclass

from signalfleet.adapters.secrets import IntakeOpener, IntakeSealer, new_intake_keys
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Opener, Sealer, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    sealer: Sealer
    opener: Opener


def own_intake(settings: Settings) -> Intake:
    """Return both halves for a process that is web and worker; made anew if none is set."""
    opener = intake_opener(settings)
    if opener is None:
        private, public = new_intake_keys()
        return Intake(sealer=IntakeSealer(public), opener=IntakeOpener(private))
    return Intake(sealer=IntakeSealer(opener.public_key), opener=opener)


def intake_opener(settings: Settings) -> IntakeOpener | None:
    """Return what opens; None if INTAKE_PRIVATE_KEY is not set, so nobody can sign in here."""
    private, public = settings.intake_private_key.get_secret_value(), settings.intake_public_key
    if not private:
        return None
    try:
        opener = IntakeOpener(Secret(private))
    except RefusedError as error:
        raise ConfigurationError(str(error)) from None
    if public and public != opener.public_key:
        raise ConfigurationError(
            "INTAKE_PUBLIC_KEY and INTAKE_PRIVATE_KEY are not of one pair; "
            "make a pair with `signalfleet keys intake`"
        )
    return opener


def intake_sealer(settings: Settings) -> IntakeSealer | None:
    """Return what seals; None if INTAKE_PUBLIC_KEY is not set."""
    if not settings.intake_public_key:
        return None
    try:
        return IntakeSealer(settings.intake_public_key)
    except RefusedError as error:
        raise ConfigurationError(str(error)) from None
