"""Questions and answers: what every bus promises of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from signalfleet.ports.bus import Answerer, Bus, Plain
from signalfleet.ports.errors import (
    FencedError,
    PortError,
    RefusedError,
    SignInRequiredError,
    TemporaryError,
)

ADDRESS = "c1.login"


async def echo(question: Plain) -> Plain:
    return {"you said": dict(question)}


@asynccontextmanager
async def served(bus: Bus, answer: Answerer, address: str = ADDRESS) -> AsyncIterator[None]:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(bus.serve(address, answer, ready=ready))
        async with asyncio.timeout(5):
            await ready.wait()
        try:
            yield
        finally:
            serving.cancel()


async def test_a_question_is_answered(bus: Bus) -> None:
    question = {"op": "start", "n": 1, "deep": {"list": [None, True, "ä"]}}
    async with served(bus, echo):
        assert await bus.request(ADDRESS, question) == {"you said": question}


async def test_nobody_there_is_said_at_once(bus: Bus) -> None:
    async with asyncio.timeout(2):
        with pytest.raises(TemporaryError, match="nobody"):
            await bus.request(ADDRESS, {})


async def test_an_address_that_is_served_no_more_answers_no_more(bus: Bus) -> None:
    async with served(bus, echo):
        await bus.request(ADDRESS, {})
    with pytest.raises(TemporaryError):
        await bus.request(ADDRESS, {}, limit_s=1)


async def test_each_question_reaches_one_of_those_who_serve(bus: Bus) -> None:
    taken: list[object] = []

    async def take(question: Plain) -> Plain:
        taken.append(question["n"])
        return {}

    async def also_take(question: Plain) -> Plain:
        return await take(question)

    async with served(bus, take), served(bus, also_take):
        for number in range(20):
            await bus.request(ADDRESS, {"n": number})
    assert sorted(taken, key=str) == sorted(range(20), key=str)


async def test_another_address_is_not_asked(bus: Bus) -> None:
    async def one(_question: Plain) -> Plain:
        return {"who": "one"}

    async def other(_question: Plain) -> Plain:
        return {"who": "other"}

    async with served(bus, one, "c1.login.one"), served(bus, other, "c1.login.other"):
        assert await bus.request("c1.login.one", {}) == {"who": "one"}
        assert await bus.request("c1.login.other", {}) == {"who": "other"}
        with pytest.raises(TemporaryError):
            await bus.request("c1.login", {}, limit_s=1)


async def test_a_slow_answer_holds_up_no_other(bus: Bus) -> None:
    go = asyncio.Event()

    async def answer(question: Plain) -> Plain:
        if question.get("slow"):
            await go.wait()
        return {"slow": bool(question.get("slow"))}

    async with served(bus, answer), asyncio.TaskGroup() as tasks:
        slow = tasks.create_task(bus.request(ADDRESS, {"slow": True}))
        await asyncio.sleep(0)
        assert await bus.request(ADDRESS, {}) == {"slow": False}
        go.set()
    assert slow.result() == {"slow": True}


async def test_an_answer_that_never_comes_is_given_up(bus: Bus) -> None:
    async def never(_question: Plain) -> Plain:
        await asyncio.Event().wait()
        return {}

    async with served(bus, never):
        with pytest.raises(TemporaryError, match="in time"):
            await bus.request(ADDRESS, {}, limit_s=0.2)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (RefusedError("no such code"), RefusedError),
        (TemporaryError("wait", retry_after=12.5), TemporaryError),
        (SignInRequiredError("gone", reason="revoked"), SignInRequiredError),
        (FencedError("moved"), TemporaryError),
    ],
)
async def test_the_answerers_error_is_the_askers(
    bus: Bus, error: PortError, seen: type[PortError]
) -> None:
    async def fail(_question: Plain) -> Plain:
        raise error

    async with served(bus, fail):
        with pytest.raises(PortError) as caught:
            await bus.request(ADDRESS, {})
    assert type(caught.value) is seen
    if isinstance(error, TemporaryError) and isinstance(caught.value, TemporaryError):
        assert caught.value.retry_after == error.retry_after
    if isinstance(error, SignInRequiredError) and isinstance(caught.value, SignInRequiredError):
        assert caught.value.reason == error.reason
    if not isinstance(error, FencedError):
        assert str(caught.value) == str(error)


async def test_what_breaks_an_answerer_stays_there(
    bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(question: Plain) -> Plain:
        raise ValueError(f"cannot read {question}")

    async with served(bus, fail):
        with pytest.raises(TemporaryError) as caught:
            await bus.request(ADDRESS, {"code": "canary-55"})
        assert "canary-55" not in str(caught.value)
        with pytest.raises(TemporaryError):
            await bus.request(ADDRESS, {})
    assert "canary-55" not in capsys.readouterr().out


@pytest.mark.parametrize("address", ["", "a b", "c1.>", "*", "c1..x", "ä", "c1.login\n"])
async def test_an_address_that_would_reach_others_is_refused(bus: Bus, address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        await bus.request(address, {})
    with pytest.raises(ValueError, match="address"):
        await bus.serve(address, echo)


@pytest.mark.parametrize(
    "question", [{"x": "a" * 20_000}, {"x": Decimal(1)}, {"x": float("nan")}, {"x": b"raw"}]
)
async def test_a_question_too_long_or_not_plain_is_refused(
    bus: Bus, question: Mapping[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"bus|JSON"):
        await bus.request(ADDRESS, question)
