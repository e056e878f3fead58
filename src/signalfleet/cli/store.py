"""`signalfleet store` and `signalfleet migrate`: the database beside the running product."""

from typing import Annotated, Final

import typer

store: Final = typer.Typer(
    help="The database: its roles, and moving everything to another one.", no_args_is_help=True
)


@store.command("roles")
def roles(
    database: Annotated[str, typer.Option(help="The database to make.")] = "signalfleet",
) -> None:
    """Print the SQL that makes the PostgreSQL roles and database; a superuser runs it once."""
    from signalfleet.adapters.sql import roles_sql

    typer.echo(roles_sql(database), nl=False)


@store.command("copy")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store as it is now.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty one, or a begun copy.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
) -> None:
    """Copy all users to another store and compare; stop the product before. May be run again."""
    from signalfleet.cli.running import finish, quiet_settings
    from signalfleet.cli.store_copying import copy_all

    finish(copy_all(quiet_settings(), source, target, as_json=as_json))


def migrate() -> None:
    """Bring the store to this release's schema. On PostgreSQL STORE_URL names sf_owner here."""
    import asyncio

    from signalfleet.adapters.sql import SCHEMA_REVISION
    from signalfleet.adapters.sql import migrate as bring_up
    from signalfleet.cli.running import finish, quiet_settings

    settings = quiet_settings()

    async def work() -> None:
        await asyncio.to_thread(bring_up, settings.database)
        typer.echo(f"The store has schema {SCHEMA_REVISION}.")

    finish(work())
