"""One channel: whether it writes as it used to, and how it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, assert_never

import structlog
from fastapi import Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.edit_profile import EditProfile, StoredProfile, Trial
from signalfleet.app.profile_document import ProfileRefusedError
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.signals.describe import describe
from signalfleet.domain.signals.judge import Verdict
from signalfleet.domain.signals.model import (
    Ambiguous,
    FollowUp,
    NotASignal,
    Parsed,
    Reading,
    Signal,
)
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import Channel
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import Times, one_line
from signalfleet.web.present.profile_form import (
    ACTIONS,
    STYLES,
    ProfileFields,
    RuleFields,
    document_of,
    fields_of,
    fields_sent,
)
from signalfleet.web.present.reading import Segment, cut
from signalfleet.web.present.trial import trial_of
from signalfleet.web.present.words import Words
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

BIGGEST_ID: Final = 2**63 - 1
TEXT_CHARS: Final = 4096
Chat = Annotated[int, Path(ge=-BIGGEST_ID, le=BIGGEST_ID)]
MODES: Final = {"paper": "On paper", "on": "Copied", "approve": "Asks first", "off": "Not read"}
VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.ACCEPT: "acted on",
    Verdict.HOLD: "held for you",
    Verdict.IGNORE: "not acted on: too unsure",
}
CHANGED: Final = "The profile was changed elsewhere meanwhile. Look at it and save again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLine:
    """One reading of a tried text, in words."""

    text: str
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialShown:
    segments: Sequence[Segment]
    lines: Sequence[TrialLine]
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What one answer shows besides the stored profile."""

    fields: ProfileFields
    problems: Sequence[str] = ()
    trial: TrialShown | None = None
    text: str = ""
    reply_to: str = ""
    status: int = 200


@table.route("GET", "/channels/{chat}", Access.OWNER)
async def channel_page(request: Request, signed: SignedIn, chat: Chat) -> Response:
    editor, channel = await _channel(request, signed, chat)
    stored = await editor.load(signed.store.settings, channel.chat)
    return await _page(request, signed, channel, stored, _View(fields=fields_of(stored.doc)))


@table.route("POST", "/channels/{chat}/profile", Access.OWNER, audit="profile_changed")
async def change_profile(request: Request, signed: SignedIn, chat: Chat) -> Response:
    """Try a text with what stands in the form, or save the form."""
    editor, channel = await _channel(request, signed, chat)
    form = await read_form(request)
    stored = await editor.load(signed.store.settings, channel.chat)
    fields = fields_sent(form)
    view = _View(
        fields=fields,
        text=form.get("text", "")[:TEXT_CHARS],
        reply_to=form.get("reply_to", "")[:TEXT_CHARS],
    )
    doc = document_of(fields, stored.doc)
    try:
        if form.get("do") == "try":
            words = context_of(request).words
            view = replace(view, trial=_tried(editor, doc, view, words))
            return await _page(request, signed, channel, stored, view)
        if form.get("remember") and view.text.strip():
            doc["examples"] = [*(doc.get("examples") or ()), _example(editor, doc, view)]
        read_at = int(form["revision"]) if form.get("revision", "").isdecimal() else -1
        await editor.save(signed.store.settings, channel.chat, doc, read_at)
    except ProfileRefusedError as error:
        view = replace(view, problems=error.problems, status=422)
    except ConflictError:
        view = replace(view, problems=(CHANGED,), status=409)
    else:
        return RedirectResponse(f"/channels/{chat}?saved=1", 303)
    return await _page(request, signed, channel, stored, view)


@table.route("POST", "/channels/{chat}/layouts", Access.OWNER, audit="layouts_confirmed")
async def confirm_layouts(request: Request, signed: SignedIn, chat: Chat) -> Response:
    """Take the channel's new way of writing as right."""
    editor, channel = await _channel(request, signed, chat)
    try:
        await editor.confirm_layouts(signed.store.settings, channel.chat)
    except (ProfileRefusedError, ConflictError) as error:
        stored = await editor.load(signed.store.settings, channel.chat)
        said = error.problems if isinstance(error, ProfileRefusedError) else (CHANGED,)
        view = _View(fields=fields_of(stored.doc), problems=said, status=409)
        return await _page(request, signed, channel, stored, view)
    return RedirectResponse(f"/channels/{chat}?saved=1", 303)


async def _channel(request: Request, signed: Signed, chat: int) -> tuple[EditProfile, Channel]:
    editor = context_of(request).deps.profiles
    channel = await signed.store.channels.get(ChannelId(chat))
    if editor is None or channel is None:
        raise HTTPException(404)
    return editor, channel


def _tried(
    editor: EditProfile, doc: Mapping[str, Any], view: _View, words: Words
) -> TrialShown | None:
    """Read the text of the form with the profile of the form, if that could be saved."""
    profile = editor.check({**doc, "examples": None}).profile
    if not view.text.strip():
        return None
    trial = editor.try_text(view.text, profile, view.reply_to or None)
    is_known = any(one.get("text") == view.text for one in doc.get("examples") or ())
    return _shown(trial, words, is_known=is_known)


def _example(editor: EditProfile, doc: Mapping[str, Any], view: _View) -> dict[str, Any]:
    profile = editor.check({**doc, "examples": None}).profile
    trial = editor.try_text(view.text, profile, view.reply_to or None)
    return editor.example_of(trial, view.reply_to or None)


async def _page(
    request: Request, signed: Signed, channel: Channel, stored: StoredProfile, view: _View
) -> Response:
    context: WebContext = context_of(request)
    watch = stored.watch
    times = Times(signed.profile.timezone, context.deps.clock.now())
    values: dict[str, Any] = {
        **await page_values(context, signed),
        "here": "channels",
        "channel": channel,
        "title": one_line(channel.title),
        "mode": MODES.get(channel.mode.value, channel.mode.value),
        "fields": view.fields,
        "rules": (*view.fields.rules, RuleFields()),
        "examples": [
            (number, one_line(str(example.get("text", ""))))
            for number, example in enumerate(stored.doc.get("examples") or ())
        ],
        "profile_version": stored.doc.get("version", 0),
        "revision": stored.revision,
        "problems": view.problems,
        "trial": view.trial,
        "text": view.text,
        "reply_to": view.reply_to,
        "actions": ACTIONS,
        "styles": STYLES,
        "symbols": _symbols(context),
        "has_changed": _has_changed(stored),
        "changed_by": watch.changed_by,
        "changed_at": times.at(watch.changed_at) if watch.changed_at else None,
        "counted": watch.habit.total,
        "unread": watch.habit.unread,
        "was_saved": request.query_params.get("saved") == "1" and not view.problems,
        "modes": MODES,
        "trial_stage": await trial_of(signed.store, channel, times, context.deps.clock.now()),
    }
    return context.pages.response("channel.html", values, view.status)


def _symbols(context: WebContext) -> tuple[str, ...]:
    editor = context.deps.profiles
    return () if editor is None else editor.symbols


def _has_changed(stored: StoredProfile) -> bool:
    alarm = stored.watch.habit.alarm
    return alarm is not None and alarm > int(stored.doc.get("layouts_at") or 0)


def _shown(trial: Trial, words: Words, *, is_known: bool) -> TrialShown:
    match trial.result:
        case Parsed(readings=readings):
            verdicts = iter(trial.verdicts)
            lines = [
                TrialLine(
                    text=_capital(describe(reading)),
                    verdict=VERDICTS[next(verdicts)]
                    if isinstance(reading, Signal | FollowUp)
                    else "noted",
                )
                for reading in readings
            ]
        case Ambiguous(reasons=doubts, candidates=candidates):
            readings = candidates
            lines = [TrialLine(text=words.reason(doubt.value)) for doubt in doubts]
            lines += [
                TrialLine(text=_capital(describe(reading)), verdict="could be meant")
                for reading in candidates
            ]
        case NotASignal(reasons=reasons):
            readings = ()
            lines = [TrialLine(text=words.reason(reason.value)) for reason in reasons]
        case _:
            assert_never(trial.result)
    return TrialShown(
        segments=cut(trial.text, _spans(readings), words), lines=lines, is_known=is_known
    )


def _spans(readings: Sequence[Reading]) -> list[Any]:
    return [span for reading in readings for span in reading.spans]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
