"""What a pause held back: offered to the user, and carried out at one tap."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.asks import load_asks, mark_done, put_ask
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.execute_follow_up import ExecuteFollowUp, FollowUpOutcome, PausedFollowUp
from signalfleet.app.known_signals import context_of
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.withdrawn_signals import plan_deleted, plan_turned
from signalfleet.domain.accounts.asks import Answer, Ask, AskKey
from signalfleet.domain.signals.model import FollowUp, Parsed
from signalfleet.domain.trading.records import Settlement, SignalRecord
from signalfleet.ports.inbox import StoredMessage

log = structlog.get_logger()

WAITS: Final = timedelta(hours=24)
PAUSED: Final = "follow_up_paused"


async def offer_paused(
    desk: UserDesk, stored: StoredMessage, paused: Sequence[PausedFollowUp]
) -> None:
    """Ask about each instruction that was held back, before the message counts as done."""
    now, key = desk.clock.now(), stored.key
    for number in sorted({one.number for one in paused}):
        mine = [one for one in paused if one.number == number]
        ask = Ask(
            key=AskKey(
                chat=key.chat, message=key.message, rev=key.rev, part=number, is_follow_up=True
            ),
            text=mine[0].text,
            why=PAUSED,
            asked_at=now,
            until=now + WAITS,
            signals=tuple(sorted({one.signal for one in mine})),
        )
        await put_ask(desk.store.settings, ask)
        desk.has_paused = True


class ReleasePaused:
    """Carries out what was tapped, on the signals that the instruction was about at its time.

    `refused` are taps that could not be followed: what each notice is about, and its facts.
    """

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._follow_ups = ExecuteFollowUp(desk, is_tapped=True)
        self.refused: list[tuple[str, dict[str, object]]] = []

    async def run(self) -> bool:
        """Write down what follows from new taps; True if something is to be sent."""
        if not self._desk.has_paused:
            return False
        now, settings = self._desk.clock.now(), self._desk.store.settings
        asks = [one for one in (await load_asks(settings)).asks if one.key.is_follow_up]
        self._desk.has_paused = any(
            not one.is_done and (one.answer is Answer.APPROVE or now < one.until)
            for one in asks
            if one.answer is not Answer.SKIP
        )
        is_any = False
        for ask in asks:
            if ask.answer is Answer.APPROVE and not ask.is_done:
                is_any |= await self._release(ask)
        return is_any

    async def _release(self, ask: Ask) -> bool:
        """Plan it with the prices of now. What cannot be planned just now is looked at again."""
        outcome = await self._planned(ask)
        if outcome.must_wait:
            return False
        journal = self._desk.store.journal
        async with self._desk.settling:
            wanted = [one.intent_id for one in outcome.intents]
            known = {one.intent_id for one in await journal.get_intents(wanted)}
            taken = tuple(one for one in outcome.intents if one.intent_id not in known)
            if taken:
                await journal.settle(Settlement(added_intents=taken), self._desk.epoch)
        self._desk.released.extend(taken)
        if not taken and outcome.reason is not None:
            facts: dict[str, object] = {"text": ask.text, "reason": outcome.reason}
            self.refused.append((f"message:{ask.key.chat}.{ask.key.message}", facts))
        await mark_done(self._desk.store.settings, ask.key)
        log.info("paused_follow_up_released", intents=len(taken), reason=outcome.reason)
        return bool(taken)

    async def _planned(self, ask: Ask) -> FollowUpOutcome:
        key, outcome = ask.key, FollowUpOutcome()
        revisions = await self._desk.store.inbox.revisions(key.chat, key.message)
        stored = next((one for one in revisions if one.rev == key.rev), None)
        if stored is None:
            return outcome
        rules = (await effective_settings(self._desk, key.chat, None)).rules
        if stored.deleted_at is not None:
            return await plan_deleted(self._follow_ups, stored, rules)
        profile = await self._desk.profiles.of(key.chat)
        context = await context_of(self._desk, stored)
        result = self._desk.parser.parse(stored.message, context, profile)
        if not isinstance(result, Parsed):
            turned = await plan_turned(self._follow_ups, stored, result, rules)
            return turned or outcome
        reading = result.readings[key.part] if key.part < len(result.readings) else None
        if isinstance(reading, FollowUp):
            signals = await self._signals(ask)
            is_edit = context.before_edit is not None
            await self._follow_ups.plan_for(
                stored, reading, signals, key.part, outcome, is_edit=is_edit
            )
        return outcome

    async def _signals(self, ask: Ask) -> list[SignalRecord]:
        found = [await self._desk.store.journal.get_signal(one) for one in ask.signals]
        return [record for record in found if record is not None]
