"""`signalfleet keys`: make keys, and change those in use while the product runs."""

from typing import Annotated, Final

import typer

from signalfleet.cli.running import finish, quiet_settings

keys: Final = typer.Typer(help="Keys that protect stored credentials.", no_args_is_help=True)


@keys.command("new")
def new_key() -> None:
    """Print a new value for ENCRYPTION_KEY. Keep it apart from the database."""
    from cryptography.fernet import Fernet

    typer.echo(Fernet.generate_key().decode())


@keys.command("intake")
def new_intake() -> None:
    """Print a new pair: workers get both lines, web processes the public one alone."""
    from signalfleet.adapters.secrets import new_intake_keys

    private, public = new_intake_keys()
    typer.echo("INTAKE_PRIVATE_KEY=", nl=False)
    typer.echo(private.reveal())
    typer.echo(f"INTAKE_PUBLIC_KEY={public}")


@keys.command("vapid")
def new_vapid() -> None:
    """Print a new key by which the push services of browsers know this server."""
    from signalfleet.adapters.web_push import new_vapid_key

    typer.echo("VAPID_PRIVATE_KEY=", nl=False)
    typer.echo(new_vapid_key().reveal())


@keys.command("add")
def add_key() -> None:
    """Put a new key in front of ENCRYPTION_KEY_FILE; running workers use it at once."""
    from signalfleet.cli import rotation

    finish(rotation.add(quiet_settings()))


@keys.command("rewrap")
def rewrap() -> None:
    """Wrap every data key by the first key. May be stopped and started again."""
    from signalfleet.cli import rotation

    finish(rotation.rewrap(quiet_settings()))


@keys.command("status")
def status() -> None:
    """Show the keys and how many data keys each of them wraps."""
    from signalfleet.cli import rotation

    finish(rotation.status(quiet_settings()))


@keys.command("retire")
def retire(
    key: Annotated[str, typer.Argument(help="The key's id, as `keys status` shows it.")],
) -> None:
    """Remove a key that no data key needs any more from ENCRYPTION_KEY_FILE."""
    from signalfleet.cli import rotation

    finish(rotation.retire(quiet_settings(), key))


@keys.command("renew")
def renew(
    user: Annotated[str, typer.Option(help="Whose data key somebody may know.")],
) -> None:
    """Make a new data key for a user and seal all secrets of that user anew."""
    from signalfleet.cli import rotation

    finish(rotation.renew(quiet_settings(), user))
