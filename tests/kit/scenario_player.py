"""Plays a scenario in a town, line by line, and looks whether what it expects is so."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from kit import scenario_book as books
from kit.clock import settle_down
from kit.scenario_script import Scenario, ScriptError, Step
from kit.scenario_town import ACCOUNTS, USER, Town, a_town
from signalfleet.app.asks import answer_ask, open_asks, open_follow_ups
from signalfleet.app.copy_states import set_state, stop_all
from signalfleet.app.exits import begin_exit, end_exit
from signalfleet.app.go_live import go_live
from signalfleet.app.leave_account import leave_account
from signalfleet.app.probation import (
    begin_probation,
    load_probation,
    restart_probation,
    skip_probation,
)
from signalfleet.app.prop_packs import confirm_pack
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.domain.accounts.asks import Answer
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.settings.choices import CopyState, ExitPolicy
from signalfleet.domain.trading.records import MessageKey, SignalRecord, TraceStep
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import CopyMode
from signalfleet.web.present.words import Words

AFTER_MESSAGE_S: Final = 3.0
AFTER_CHANGE_S: Final = 6.0
"""What a page writes is seen by the bot within five seconds at the latest."""
AFTER_PRICE_S: Final = 1.0
PACE: Final = frozenset({"polling_too_fast"})
"""A scenario's user does in a minute what others do in a day; the credits limit reads here too."""
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
GOLD: Final = "gold"


class NotSoError(AssertionError):
    """The world is not as the scenario says; the text names the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    channel: str
    number: int


async def play(scenario: Scenario) -> None:
    """Play one scenario from its first line to the last; raises NotSoError."""
    async with a_town(
        start=scenario.start,
        tier=scenario.tier,
        zone=scenario.zone,
        settings=scenario.settings,
        news=scenario.news,
        second=scenario.second,
        has_paper=scenario.has_paper,
        hedging=not scenario.netting,
        **scenario.account,
    ) as town:
        player = Player(town)
        for step in scenario.steps:
            try:
                await player.do(step)
            except NotSoError as error:
                raise NotSoError(f"{scenario.name}: {step.line}\n    {error}") from None
        player.require_good_manners(scenario.pardons)


class Player:
    def __init__(self, town: Town) -> None:
        self._town = town
        self._said: dict[str, Said] = {}
        self._words = Words.english()
        self._expectations = Expectations(town, self._said, self._words)
        self._verbs: dict[str, Callable[[Step], Awaitable[None]]] = {
            "post": self._post,
            "reply": self._reply,
            "edit": self._edit,
            "delete": self._delete,
            "price": self._price,
            "spread": self._spread,
            "wait": self._wait,
            "set": self._set,
            "state": self._state,
            "mode": self._mode,
            "fault": self._fault,
            "tap": self._tap,
            "restart": self._restart,
            "probation": self._probation,
            "exit": self._exit,
            "back": self._back,
            "leave": self._leave,
            "confirm": self._confirm,
            "live": self._live,
            "tier": self._tier,
            "expect": self._expectations.check,
        }

    async def do(self, step: Step) -> None:
        verb = self._verbs.get(step.verb)
        if verb is None:
            raise ScriptError(f"{step.line!r}: nobody knows {step.verb}")
        await verb(step)

    def require_good_manners(self, pardons: frozenset[str]) -> None:
        """Refuse a bot that did what MetaApi asks nobody to do."""
        known = self._town.metaapi.world.journal.violations
        wrong = [one for one in known if one["rule"] not in (PACE | pardons)]
        if wrong:
            raise NotSoError(f"MetaApi was misused: {wrong}")

    # What the channel does

    async def _post(self, step: Step) -> None:
        """`post NAME [in CHANNEL] [SECONDS old]: text`."""
        name, *more = step.words
        options = dict(zip(more[::2], more[1::2], strict=True))
        channel = options.pop("in", GOLD)
        age = float(options.pop("aged", "0"))
        if options:
            raise ScriptError(f"{step.line!r}: nobody knows {options}")
        at = self._town.clock.time() - age
        number = self._town.channels[channel].post(step.text, at=at)
        await self._say(name, channel, number)

    async def _reply(self, step: Step) -> None:
        """`reply NAME to OTHER: text`."""
        name, _, other = step.words
        said = self._said[other]
        number = self._town.channels[said.channel].post(step.text, reply_to=said.number)
        await self._say(name, said.channel, number)

    async def _say(self, name: str, channel: str, number: int) -> None:
        if name in self._said:
            raise ScriptError(f"{name} was said already")
        self._said[name] = Said(channel=channel, number=number)
        await settle_down(AFTER_MESSAGE_S)

    async def _edit(self, step: Step) -> None:
        said = self._said[step.words[0]]
        self._town.channels[said.channel].edit(said.number, step.text)
        await settle_down(AFTER_MESSAGE_S)

    async def _delete(self, step: Step) -> None:
        said = self._said[step.words[0]]
        self._town.channels[said.channel].delete(said.number)
        await settle_down(AFTER_MESSAGE_S)

    # What the market and the broker do

    async def _price(self, step: Step) -> None:
        """`price SYMBOL VALUE`: rising the bid arrives there, falling the ask."""
        symbol, value = step.words
        self._town.market.jump(symbol, Decimal(value))
        self._town.metaapi.world.spread_prices()
        await settle_down(AFTER_PRICE_S)

    async def _spread(self, step: Step) -> None:
        symbol, points = step.words
        self._town.metaapi.add_fault({"kind": "spread", "symbol": symbol, "points": int(points)})
        await settle_down(AFTER_PRICE_S)

    async def _fault(self, step: Step) -> None:
        """`fault KIND {json}`: of the next order, unless `route` says otherwise."""
        kind = step.words[0]
        given: dict[str, Any] = json.loads(step.text or "{}")
        keys = given.keys() & {"route", "action", "nth", "times", "account"}
        match: dict[str, Any] = {key: given.pop(key) for key in keys}
        if kind in CALL_FAULTS:
            match.setdefault("route", "trade")
        elif kind in ACCOUNT_FAULTS:
            match["account"] = self._town.sim_account
        self._town.metaapi.add_fault({"kind": kind, **given}, **match)

    async def _wait(self, step: Step) -> None:
        (text,) = step.words
        await settle_down(float(text[:-1]) * UNITS[text[-1]])

    # What the user does

    async def _set(self, step: Step) -> None:
        """`set SCOPE: {json}`: replace the settings of user, account or a channel."""
        scope = self._scope(step.words[0])
        docs = self._town.mine.settings
        _, version = await docs.get(scope)
        await docs.put(scope, json.loads(step.text), version)
        await settle_down(AFTER_CHANGE_S)

    async def _state(self, step: Step) -> None:
        scope, state = self._scope(step.words[0]), CopyState(step.words[1])
        if scope == "user" and state is not CopyState.ON:
            await stop_all(self._town.mine, state)
        else:
            await set_state(self._town.mine, scope, state, lift=True)
        await self._town.command(f"state:{scope}:{state}")
        await settle_down(AFTER_CHANGE_S)

    async def _mode(self, step: Step) -> None:
        name, mode = step.words
        channel = await self._town.mine.channels.get(self._town.chat(name))
        assert channel is not None
        await self._town.mine.channels.put(replace(channel, mode=CopyMode(mode)))
        await settle_down(AFTER_CHANGE_S)

    async def _tap(self, step: Step) -> None:
        now = self._town.clock.product.now()
        mine = self._town.mine
        asks = [*await open_asks(mine, now), *await open_follow_ups(mine, now)]
        if len(asks) != 1:
            raise NotSoError(f"{len(asks)} questions are open")
        await answer_ask(self._town.mine, str(asks[0].key), Answer(step.words[0]), now)
        await self._town.command(f"ask:{asks[0].key}")
        await settle_down(AFTER_CHANGE_S if asks[0].key.is_follow_up else AFTER_MESSAGE_S)

    async def _probation(self, step: Step) -> None:
        """`probation CHANNEL begin|skip|restart`."""
        name, what = step.words
        mine, chat, now = self._town.mine, self._town.chat(name), self._town.clock.product.now()
        match what:
            case "begin":
                await begin_probation(mine.settings, chat, now)
            case "skip":
                await skip_probation(mine, chat, now)
            case _:
                await restart_probation(mine, chat, now)

    async def _exit(self, step: Step) -> None:
        """`exit SCOPE CAUSE [POLICY]`: what a page does when a source of trades ends."""
        scope, cause, *policy = step.words
        now = self._town.clock.product.now()
        chosen = ExitPolicy(policy[0]) if policy else None
        await begin_exit(self._town.mine, self._scope(scope), ExitCause(cause), now, chosen)
        await settle_down(AFTER_CHANGE_S)

    async def _back(self, step: Step) -> None:
        scope, cause = step.words
        await end_exit(self._town.mine, self._scope(scope), ExitCause(cause))
        await settle_down(AFTER_CHANGE_S)

    async def _leave(self, step: Step) -> None:
        """`leave account|second [POLICY]`: take an account away."""
        name, *policy = step.words
        chosen = ExitPolicy(policy[0]) if policy else None
        now = self._town.clock.product.now()
        await leave_account(self._town.mine, ACCOUNTS[name], chosen, now)
        await settle_down(AFTER_CHANGE_S)

    async def _confirm(self, step: Step) -> None:
        """`confirm account`: the rule pack that was chosen for it."""
        account, now = ACCOUNTS[step.words[0]], self._town.clock.product.now()
        await confirm_pack(self._town.mine, account, load_packs(), now)

    async def _live(self, step: Step) -> None:
        """`live account`: its user types the account's number and lets it trade real money."""
        (name,) = step.words
        login = self._town.metaapi.world.accounts[self._town.sim_accounts[name]].login
        now = self._town.clock.product.now()
        await go_live(self._town.mine, ACCOUNTS[name], login, load_packs(), now)

    async def _tier(self, step: Step) -> None:
        """`tier FREE`: the plan that the user has from now on."""
        await self._town.store.fleet.set_tier(USER, step.words[0])
        await settle_down(AFTER_CHANGE_S)

    async def _restart(self, _: Step) -> None:
        await self._town.kill()
        await self._town.start()

    def _scope(self, word: str) -> str:
        if word in ACCOUNTS:
            return f"account:{ACCOUNTS[word]}"
        return word if word == "user" else f"channel:{self._town.chat(word)}"


CALL_FAULTS: Final = frozenset(
    {
        "reject",
        "requote",
        "partial_fill",
        "execute_then_reset",
        "execute_then_504",
        "answer_504_then_execute_after",
        "reset_before_read",
        "execute_twice",
        "slip",
        "503",
        "lost_client_id",
    }
)
ACCOUNT_FAULTS: Final = frozenset({"foreign_position", "payment", "trade_disabled", "investor"})


class Expectations:
    """What may be expected: of the broker's book, of a message, of its checks, of the notices."""

    def __init__(self, town: Town, said: dict[str, Said], words: Words) -> None:
        self._town = town
        self._said = said
        self._words = words

    async def check(self, step: Step) -> None:
        subject, *more = step.words
        match subject:
            case "positions":
                self._compare(books.positions(await self._book(more)), step)
            case "orders":
                self._compare(books.orders(await self._book(more)), step)
            case "closed":
                self._compare(books.closed(await self._book(more)), step)
            case "entries":
                self._same(step.text, str(self._entries()), "entries were carried out")
            case "risk":
                await self._risk(step)
            case "asks":
                mine, now = self._town.mine, self._town.clock.product.now()
                asks = [*await open_asks(mine, now), *await open_follow_ups(mine, now)]
                self._same(step.text, str(len(asks)), "questions are open")
            case "stage":
                await self._stage(more[0], step.text)
            case "state":
                account = await self._town.mine.accounts.get(ACCOUNTS[more[0]])
                self._same(step.text, account.state if account else "none", "is its state")
            case "notice":
                await self._notice(step.text)
            case "trade":
                await self._trade(more[0], step.text)
            case "check":
                await self._check(more[0], step.text)
            case "followed":
                await self._followed(more[0], step.text)
            case _:
                await self._outcome(subject, step.text)

    async def _book(self, words: Sequence[str]) -> Any:
        """`... on second` or `... on paper`; else the first account's."""
        return await self._town.book(words[1]) if words else await self._town.book()

    async def _stage(self, name: str, text: str) -> None:
        """`expect stage CHANNEL: STAGE`, where its probation is."""
        probation = await load_probation(self._town.mine.settings, self._town.chat(name))
        self._same(text, "none" if probation is None else probation.stage.value, "is its stage")

    def _compare(self, found: list[books.Facts], step: Step) -> None:
        wrong = books.difference(books.expected(step.text), found)
        if wrong:
            raise NotSoError(wrong)

    def _entries(self) -> int:
        calls = self._town.metaapi.world.journal.book
        return sum(str(one.get("action", "")).startswith("ORDER_TYPE") for one in calls)

    async def _risk(self, step: Step) -> None:
        """`expect risk: 95 to 100`, in the currency of the symbol's profit."""
        low, _, high = step.text.partition(" to ")
        market = self._town.market
        book = await self._book(step.words[1:])
        found = books.risk(book, lambda s: market.instrument(s).contract_size)
        if not Decimal(low) <= found <= Decimal(high):
            raise NotSoError(f"the stops would lose {found}")

    async def _notice(self, kind: str) -> None:
        recent = await self._town.mine.notices.recent()
        kinds = [one.notice.kind.value for one in recent]
        if kind not in kinds:
            raise NotSoError(f"the user was told {kinds}")

    async def _check(self, name: str, text: str) -> None:
        """`expect check NAME: CODE VALUE of LIMIT`: the check that failed, as the page shows it."""
        rows = [
            row
            for stage in await self._trace(name)
            if stage.stage == "checked"
            for row in _rows(stage)
            if not row["passed"]
        ]
        shown = [f"{row['code']} {row['value']} of {row['limit']}" for row in rows]
        if text not in shown:
            raise NotSoError(f"the checks that failed are {shown}")

    async def _trade(self, name: str, text: str) -> None:
        """`expect trade NAME: STATE [REASON]`, for each leg."""
        journal = self._town.mine.journal
        said = self._said[name]
        records = await journal.signals_of_message(
            self._town.chat(said.channel), MessageId(said.number)
        )
        trades = await journal.trades_of_signals([one.signal_id for one in records])
        shown = [f"{one.state} {one.close_reason or ''}".strip() for one in trades]
        self._same(text, "; ".join(sorted(shown)), "is what became of the trades")

    async def _followed(self, name: str, text: str) -> None:
        """`expect followed NAME: ACTION[: REASON]`."""
        shown = [
            ": ".join(str(stage.facts[key]) for key in ("action", "reason") if stage.facts[key])
            for stage in await self._trace(name)
            if stage.stage == "followed"
        ]
        if text not in shown:
            raise NotSoError(f"it was followed as {shown}")
        reason = text.partition(": ")[2]
        self._require_words(reason)

    async def _outcome(self, name: str, text: str) -> None:
        """`expect NAME: OUTCOME [REASON]`, or `expect NAME: message REASON`."""
        said, message = self._said[name], await self._message(name)
        chat = self._town.chat(said.channel)
        records = await self._town.mine.journal.signals_of_message(chat, MessageId(said.number))
        shown = "; ".join(_shown(one) for one in records)
        if not records:
            shown = f"message {message.reason}"
            self._require_words(message.reason or "")
        for one in records:
            self._require_words(one.reason or "")
        self._same(text, shown, "is what came of it")

    def _require_words(self, reason: str) -> None:
        known = self._words.has("reason", reason) or self._words.has("broker", reason)
        if reason and not known:
            raise NotSoError(f"no sentence tells the user what {reason} means")

    async def _message(self, name: str) -> StoredMessage:
        said = self._said[name]
        chat: ChannelId = self._town.chat(said.channel)
        known = await self._town.mine.inbox.revisions(chat, MessageId(said.number))
        if not known:
            raise NotSoError("the message never came")
        return max(known, key=lambda one: one.rev)

    async def _trace(self, name: str) -> list[TraceStep]:
        said, newest = self._said[name], await self._message(name)
        steps: list[TraceStep] = []
        for rev in range(newest.rev + 1):
            key = MessageKey(
                chat=self._town.chat(said.channel), message=MessageId(said.number), rev=rev
            )
            steps += await self._town.mine.journal.trace(key)
        return steps

    def _same(self, wanted: str, found: str, what: str) -> None:
        if wanted.strip() != found:
            raise NotSoError(f"{found!r} {what}")


def _shown(record: SignalRecord) -> str:
    outcome = "none" if record.outcome is None else record.outcome.value
    return f"{outcome} {record.reason}" if record.reason else outcome


def _rows(stage: TraceStep) -> list[dict[str, Any]]:
    rows = stage.facts["checks"]
    assert isinstance(rows, list)
    return rows
