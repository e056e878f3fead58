"""Guards of the clock: trading hours, the weekend, and news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.risk.exposure import currencies_of
from signalfleet.domain.risk.facts import GuardFacts, NewsEvent, NewsView
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.settings.calendar import NewsWindow
from signalfleet.domain.settings.choices import NewsBlind, WeekendAction
from signalfleet.domain.settings.resolve import Effective

FRIDAY: Final = 4
CLOSE_HOUR: Final = 17
"""Currency and metal markets close on Friday and open on Sunday at this hour of New York."""
SHUT: Final = timedelta(days=2)
STALE: Final = timedelta(hours=12)
AHEAD: Final = timedelta(minutes=10)
"""A copy that was read later than now was dated by a wrong clock: its age is not known."""
ENDED: Final = timedelta(days=7)
"""A week without any news means that nobody fills the calendar any more."""
NEVER_CLOSED: Final = frozenset({"BTC", "ETH", "XRP", "LTC", "SOL", "ADA", "BNB", "DOGE", "DOT"})


def check_moment(
    symbol: str, now: datetime, facts: GuardFacts, effective: Effective
) -> tuple[Check, ...]:
    return (
        check_hours(now, facts, effective),
        check_weekend(symbol, now, facts, effective),
        check_news(symbol, now, facts.news, effective),
    )


def check_hours(now: datetime, facts: GuardFacts, effective: Effective) -> Check:
    local = now.astimezone(facts.zone or UTC)
    table = effective.rules.trading_hours
    return Check(
        name="trading hours",
        value=f"{local:%a %H:%M}",
        limit=str(table),
        source=effective.source("trading_hours"),
        passed=table.is_open(local.weekday(), local.hour, local.minute),
        code="closed_hours",
    )


def check_sessions(instrument: Instrument, quote: Quote, now: datetime) -> Check:
    """Compare the broker's own hours with its clock; what it does not tell refuses nothing."""
    sessions, ahead = instrument.sessions, quote.broker_ahead
    if sessions is None or ahead is None:
        value, limit, is_open = "not told", "", True
    else:
        local = now + ahead
        is_open = sessions.is_open(local)
        value, limit = f"{local:%a %H:%M}", f"{sessions.on(local)} on the broker's clock"
        opens = None if is_open else sessions.opens_in(local)
        if opens is not None:
            minutes = -(-int(opens.total_seconds()) // 60)
            value += f", opens in {minutes // 60} h {minutes % 60} min"
    return Check(
        name="market hours",
        value=value,
        limit=limit,
        source="your broker",
        passed=is_open,
        code="market_closed",
    )


def check_weekend(symbol: str, now: datetime, facts: GuardFacts, effective: Effective) -> Check:
    rule = effective.rules.weekend
    is_near = (
        rule.action is not WeekendAction.KEEP
        and not never_closes(symbol)
        and is_before_weekend(now, facts.market_zone, timedelta(minutes=rule.minutes))
    )
    return Check(
        name="weekend",
        value="near" if is_near else "far",
        limit=str(rule),
        source=effective.source("weekend"),
        passed=not is_near,
        code="weekend",
    )


def never_closes(symbol: str) -> bool:
    """Tell whether a market trades at weekends too."""
    return any(symbol.startswith(coin) for coin in NEVER_CLOSED)


def is_before_weekend(now: datetime, zone: tzinfo, before: timedelta) -> bool:
    """Tell whether the weekend is on, or begins within this time, by New York's clock."""
    local = now.astimezone(zone)
    friday = local.date() + timedelta(days=FRIDAY - local.weekday())
    close = datetime(friday.year, friday.month, friday.day, CLOSE_HOUR, tzinfo=zone)
    reopens = close + SHUT  # The same hour on Sunday, whatever clocks did in between.
    return close.astimezone(UTC) - before <= now < reopens.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsFinding:
    """The event in whose window we are; `blind` says why the calendar cannot be relied on."""

    event: NewsEvent | None = None
    blind: str | None = None


def find_news(symbol: str, now: datetime, view: NewsView, window: NewsWindow) -> NewsFinding:
    """Look for an event. One that is known counts also where the calendar is old."""
    mine = currencies_of(symbol)
    before, after = timedelta(minutes=window.before), timedelta(minutes=window.after)
    event = next(
        (
            one
            for one in view.events
            if one.impact.rank >= window.impact.rank
            and (one.currency in mine or one.currency == "ALL")
            and one.at - before <= now <= one.at + after
        ),
        None,
    )
    return NewsFinding(event=event, blind=blindness(view, now))


def blindness(view: NewsView, now: datetime) -> str | None:
    """Return why the calendar cannot be relied on; None if it can."""
    if not view.is_configured:
        return "there is no calendar of news"
    if view.read_at is None:
        return f"the calendar of news was never read: {view.trouble or 'not yet'}"
    if now - view.read_at > STALE:
        hours = int((now - view.read_at).total_seconds() // 3600)
        return f"the calendar of news is {hours} hours old: {view.trouble or 'not renewed'}"
    if view.read_at - now > AHEAD:
        return f"the calendar of news was read at {view.read_at:%d %b %H:%M} UTC, in the future"
    newest = max((event.at for event in view.events), default=None)
    if newest is not None and now - newest > ENDED:
        return f"the calendar of news ends with {newest:%d %b}"
    return None


def check_news(symbol: str, now: datetime, view: NewsView, effective: Effective) -> Check:
    window = effective.rules.news_window
    finding = find_news(symbol, now, view, window) if window is not None else NewsFinding()
    refuses = (
        window is not None
        and finding.blind is not None
        and effective.rules.news_blind is NewsBlind.REFUSE
    )
    return Check(
        name="news",
        value=_said(finding, view.events),
        limit="none" if window is None else f"{window}, blind: {effective.rules.news_blind.value}",
        source=effective.source("news_window"),
        passed=finding.event is None and not refuses,
        code="news" if finding.event is not None or not refuses else "news_blind",
    )


def _said(finding: NewsFinding, events: Sequence[NewsEvent]) -> str:
    if finding.event is not None:
        one = finding.event
        return f"{one.currency} {one.title} at {one.at:%H:%M} UTC"
    return finding.blind or ("none near" if events else "none known")
