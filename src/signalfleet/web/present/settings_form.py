"""The settings of one place as form fields, and what was sent as values and what to take back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from signalfleet.app.edit_settings import ELSEWHERE, SettingsView
from signalfleet.domain.settings.catalogue import CATALOGUE, GROUPS
from signalfleet.domain.settings.values import Spec, shown

PREFIX = "set-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting: what stands here, and what is in force and why."""

    name: str
    field: str
    label: str
    text: str
    unit: str
    allowed: str
    also_called: str
    words: Sequence[str]
    own: str
    effective: str
    source: str
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingGroup:
    title: str
    anchor: str
    rows: Sequence[SettingRow]


def groups_of(
    view: SettingsView, search: str = "", sent: Mapping[str, str] | None = None
) -> tuple[SettingGroup, ...]:
    """Return the settings that can be set in this place and match the search, by their groups.

    `sent` is what the user typed and what could not be saved: it stays in the fields.
    """
    found = []
    for title, group in GROUPS.items():
        rows = [
            _row(name, CATALOGUE[name], view, sent or {})
            for name in (one.name for one in fields(group))
            if view.place.scope in CATALOGUE[name].scopes and name not in ELSEWHERE
        ]
        rows = [row for row in rows if _matches(row, title, search)]
        if rows:
            anchor = title.lower().replace(" ", "-")
            found.append(SettingGroup(title=title, anchor=anchor, rows=rows))
    return tuple(found)


def changes_of(form: Mapping[str, str]) -> tuple[dict[str, object], frozenset[str]]:
    """Return the values that were typed, and the settings whose field was left empty."""
    values: dict[str, object] = {}
    unset = set()
    for field, text in form.items():
        name = field.removeprefix(PREFIX)
        if name == field or name not in CATALOGUE:
            continue
        if text.strip():
            values[name] = CATALOGUE[name].kind.of_text(text)
        else:
            unset.add(name)
    return values, frozenset(unset)


def _row(name: str, spec: Spec, view: SettingsView, sent: Mapping[str, str]) -> SettingRow:
    field = PREFIX + name
    own = shown(view.own[name]) if name in view.own else ""
    return SettingRow(
        name=name,
        field=field,
        label=name.replace("_", " ").capitalize(),
        text=spec.text,
        unit=spec.unit,
        allowed=spec.kind.allowed,
        also_called=", ".join(spec.also_called),
        words=spec.kind.words,
        own=sent.get(field, own),
        effective=spec.show(getattr(view.effective.rules, name)),
        source=view.effective.say_source(name),
        is_own=name in view.own,
    )


def _matches(row: SettingRow, group: str, search: str) -> bool:
    """Find a setting by its name, its words, or the name that another product uses."""
    text = f"{row.name} {row.label} {row.text} {row.also_called} {group}".lower()
    return all(word in text for word in search.lower().split())
