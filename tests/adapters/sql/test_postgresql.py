"""On PostgreSQL the database itself keeps users apart; the product refuses to start otherwise."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, cast

import asyncpg
import pytest
import sqlalchemy as sa

from kit.postgres import Postgres, required, running_postgres
from kit.store_rows import CELL, ME, NOW, World, a_batch, a_channel, a_post, a_profile, fill
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.adapters.sql.postgresql import safe_url
from signalfleet.adapters.sql.postgresql_engine import as_users
from signalfleet.adapters.sql.schema import metadata, tenant_tables
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.ids import UserId, new_user_id
from signalfleet.ports.errors import ConflictError, FencedError, RefusedError, StoreUnavailableError
from signalfleet.ports.fleet_rows import WebSession

OTHER = UserId("u_nbswy3dpo5xxe3de")
STRANGER = UserId("u_" + "z" * 26)


@pytest.fixture
def server(postgres: Postgres | None) -> Postgres:
    found = required(postgres)
    found.empty()
    return found


@pytest.fixture
def spare(server: Postgres) -> Iterator[Postgres]:
    """A server with a migrated database `spare` that a test may spoil."""
    server.make("spare")
    migrate(server.url("sf_owner", "spare"))
    yield server
    server.run(server.address, "DROP DATABASE spare")


@pytest.fixture
async def store(server: Postgres) -> AsyncIterator[SqlStore]:
    async with aclosing(await SqlStore.open(server.url("sf_worker"), cell=CELL)) as store:
        yield store


@pytest.fixture
async def world(store: SqlStore) -> World:
    for number, user in enumerate((ME, OTHER), start=1):
        await store.fleet.add_user(a_profile(user, telegram_id=number))
    epoch = await claim_slots(store.fleet, CELL, range(512), "w1")
    for user in (ME, OTHER):
        await fill(store, user, epoch, f"of {user}")
    return World(store=store, epoch=epoch)


async def rows_of(server: Postgres, role: str, *users: UserId) -> dict[str, int]:
    """Count what a role sees in each tenant table that it may read, as these users."""

    async def count(connection: "asyncpg.Connection[Any]") -> dict[str, int]:
        async with connection.transaction():
            await connection.execute(as_users(users))
            return {
                table.name: await connection.fetchval(
                    str(sa.select(sa.func.count()).select_from(table))
                )
                for table in tenant_tables()
                if await connection.fetchval("SELECT has_table_privilege($1, 'SELECT')", table.name)
            }

    return await asyncio.to_thread(server.ask, server.url(role), count)


async def refused(server: Postgres, role: str, *statements: str) -> list[str]:
    """Return the statements that the database lets this role run although it should not."""

    async def attempt(connection: "asyncpg.Connection[Any]") -> list[str]:
        allowed = []
        for statement in statements:
            try:
                async with connection.transaction():
                    await connection.execute(as_users([ME]))
                    await connection.execute(statement)
                    allowed.append(statement)
            except asyncpg.InsufficientPrivilegeError:
                continue
        return allowed

    return await asyncio.to_thread(server.ask, server.url(role), attempt)


async def test_without_a_user_no_row_of_anybody_is_seen(world: World, server: Postgres) -> None:
    assert set((await rows_of(server, "sf_worker")).values()) == {0}
    mine = await rows_of(server, "sf_worker", ME)
    both = await rows_of(server, "sf_worker", ME, OTHER)
    assert mine["messages"] == 2
    assert mine["trades"] > 0
    assert both == {name: 2 * count for name, count in mine.items()}


async def test_a_worker_cannot_write_for_a_user_it_did_not_name(
    world: World, server: Postgres
) -> None:
    assert not await refused(
        server,
        "sf_worker",
        "INSERT INTO settings (user_id, scope, doc, version) "
        "SELECT 'u_zzzzzzzzzzzzzzzzzzzzzzzzzz', 'user', '{}', 1",
        "UPDATE settings SET user_id = 'u_nbswy3dpo5xxe3de'",
    )


async def test_what_a_transaction_may_see_is_forgotten_at_its_end(
    world: World, server: Postgres
) -> None:
    async def look(connection: "asyncpg.Connection[Any]") -> tuple[int, int]:
        async with connection.transaction():
            await connection.execute(as_users([ME]))
            inside = await connection.fetchval("SELECT count(*) FROM messages")
        return inside, await connection.fetchval("SELECT count(*) FROM messages")

    assert await asyncio.to_thread(server.ask, server.url("sf_worker"), look) == (2, 0)


async def test_pages_neither_see_secrets_nor_write_what_workers_write(
    world: World, server: Postgres
) -> None:
    assert not await refused(
        server,
        "sf_web",
        "SELECT count(*) FROM credentials",
        "SELECT count(*) FROM data_keys",
        "INSERT INTO credentials VALUES ('u', 'f', 1, 'a', 'n', 'c')",
        "UPDATE trades SET state = 'CLOSED'",
        "DELETE FROM intents",
        "UPDATE slot_fence SET epoch = 99",
        "UPDATE installation SET installation_id = 'in_other'",
        "UPDATE events SET facts = ''",
        "DELETE FROM events",
        "TRUNCATE settings",
        "ALTER TABLE settings DISABLE ROW LEVEL SECURITY",
        "SET ROLE sf_owner",
    )


async def test_nobody_changes_the_audit_trail_and_operators_read_no_texts(
    world: World, server: Postgres
) -> None:
    assert not await refused(server, "sf_worker", "UPDATE events SET facts = ''")
    assert not await refused(
        server,
        "sf_admin",
        "SELECT text FROM messages",
        "SELECT * FROM credentials",
        "SELECT * FROM data_keys",
        "DELETE FROM users",
    )


async def test_pages_alone_work_under_their_own_role(world: World, server: Postgres) -> None:
    async with aclosing(await SqlStore.open(server.url("sf_web"), cell=CELL)) as pages:
        await pages.ready()
        session = WebSession(user_id=ME, created_at=NOW, expires_at=NOW)
        await pages.fleet.put_session("hash", session)
        assert await pages.fleet.session("hash") == session
        assert await pages.fleet.user_by_telegram(2) == a_profile(OTHER, telegram_id=2)
        await pages.user(ME).bot.set_wish(on=False, by="user")
        assert [user for user, _ in await pages.fleet.wishes_since(0)] == [OTHER, ME]
        assert len(await pages.user(ME).journal.recent_trades()) == 2
        await pages.fleet.delete_session("hash")
        assert await pages.fleet.session("hash") is None
        with pytest.raises(RefusedError):
            await pages.user(ME).credentials.get("metaapi_token")


@pytest.mark.parametrize("role", ["root", "sf_owner"])
async def test_a_role_that_the_walls_do_not_bind_is_refused(server: Postgres, role: str) -> None:
    url = server.root if role == "root" else server.url(role)
    with pytest.raises(RefusedError, match="row-level security does not bind"):
        await SqlStore.open(url, cell=CELL)


@pytest.mark.parametrize("weaker", ["NO FORCE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"])
async def test_a_table_without_its_wall_is_refused(spare: Postgres, weaker: str) -> None:
    await asyncio.to_thread(
        spare.run, spare.url("sf_owner", "spare"), f"ALTER TABLE trades {weaker}"
    )
    with pytest.raises(RefusedError, match="not forced on trades"):
        await SqlStore.open(spare.url("sf_worker", "spare"), cell=CELL)
    await asyncio.to_thread(migrate, spare.url("sf_owner", "spare"))
    await (await SqlStore.open(spare.url("sf_worker", "spare"), cell=CELL)).aclose()


async def test_a_schema_of_another_release_is_refused(spare: Postgres) -> None:
    url = spare.url("sf_owner", "spare")
    await asyncio.to_thread(spare.run, url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RefusedError, match="9999"):
        await SqlStore.open(spare.url("sf_worker", "spare"), cell=CELL)
    await asyncio.to_thread(spare.run, url, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(RefusedError, match="migrate"):
        await SqlStore.open(spare.url("sf_worker", "spare"), cell=CELL)


async def test_only_the_owner_migrates(server: Postgres) -> None:
    with pytest.raises(RefusedError, match="sf_owner"):
        await asyncio.to_thread(migrate, server.url("sf_worker"))


async def test_every_table_with_users_has_a_wall(server: Postgres) -> None:
    named = {table.name for table in metadata.sorted_tables if "user_id" in table.columns}
    assert named - {table.name for table in tenant_tables()} == {"departures", "shredded"}
    assert len(tenant_tables()) >= 15


async def test_a_wave_of_many_users_is_one_transaction(store: SqlStore, server: Postgres) -> None:
    users = [new_user_id(number.to_bytes(16, "big")) for number in range(200)]
    async with asyncio.TaskGroup() as tasks:
        for user in users:
            tasks.create_task(store.fleet.add_user(a_profile(user)))
    epoch = await claim_slots(store.fleet, CELL, range(512), "w1")
    async with asyncio.TaskGroup() as tasks:
        for user in users:
            tasks.create_task(store.user(user).inbox.add(a_batch(a_post(1)), NOW, epoch))

    async def transactions(connection: "asyncpg.Connection[Any]") -> int:
        return int(await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM messages"))

    assert await asyncio.to_thread(server.ask, server.root, transactions) <= 2
    for user in users[:3]:
        assert len(await store.user(user).inbox.recent()) == 1


async def test_in_a_wave_only_the_guilty_fail(world: World) -> None:
    store, epoch = world.store, world.epoch
    users = [new_user_id(number.to_bytes(16, "big")) for number in range(20)]
    async with asyncio.TaskGroup() as tasks:
        for user in users:
            tasks.create_task(store.fleet.add_user(a_profile(user)))
    stale = asyncio.create_task(store.user(users[0]).inbox.add(a_batch(a_post(1)), NOW, epoch - 1))
    twice = asyncio.create_task(store.user(ME).channels.put(a_channel()))
    nobody = asyncio.create_task(store.user(STRANGER).channels.put(a_channel()))
    others = [
        asyncio.create_task(store.user(user).inbox.add(a_batch(a_post(1)), NOW, epoch))
        for user in users[1:]
    ]
    await asyncio.wait([stale, twice, nobody, *others])
    assert [len(task.result()) for task in others] == [1] * 19
    errors = [type(task.exception()) for task in (stale, twice, nobody)]
    assert errors == [FencedError, ConflictError, RefusedError]


async def test_a_user_who_is_fenced_off_waits_for_nobody_and_writes_nothing(world: World) -> None:
    newer = await world.claim_mine()
    with pytest.raises(FencedError):
        await world.mine.inbox.add(a_batch(a_post(7)), NOW, world.epoch)
    assert await world.mine.inbox.add(a_batch(a_post(7)), NOW, newer)


async def test_a_text_that_postgresql_cannot_hold_is_kept_without_its_zero(world: World) -> None:
    await world.mine.inbox.add(a_batch(a_post(9, "BUY\0GOLD")), NOW, world.epoch)
    newest, *_ = await world.mine.inbox.recent()
    assert newest.message.text == "BUY\ufffdGOLD"


def test_the_way_to_another_machine_is_encrypted() -> None:
    assert safe_url("postgresql://u@db.example/x") == "postgresql://u@db.example/x?sslmode=require"
    chosen = "postgresql://u@db.example/x?sslmode=verify-full"
    assert safe_url(chosen) == chosen
    for here in ("postgresql://u@localhost/x", "postgresql:///x?host=/run/postgresql&user=u"):
        assert "sslmode" not in safe_url(here)


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that only this test uses, so that it may be stopped."""
    with running_postgres() as found:
        if required(found).process is None:
            pytest.skip("the server of PG_TEST_URL is not ours to stop")
        yield required(found)


async def test_a_server_that_comes_back_is_used_again(own_server: Postgres) -> None:
    server = own_server
    async with aclosing(await SqlStore.open(server.url("sf_worker"), cell=CELL)) as store:
        await store.fleet.add_user(a_profile(ME))
        await asyncio.to_thread(server.stop)
        for attempt in (store.ready, store.fleet.installation):
            with pytest.raises(StoreUnavailableError):
                await attempt()
        await asyncio.to_thread(server.restart)
        await store.ready()
        assert await store.fleet.get_user(ME) == a_profile(ME)


def test_a_user_id_that_could_leave_its_quotes_is_refused() -> None:
    with pytest.raises(RefusedError):
        as_users([cast("UserId", "u_a'; DROP TABLE users; --")])
