"""Jinja set up so that a foreign text is always text and a forgotten value is an error."""

import json
from collections.abc import Mapping
from importlib.resources import files
from types import CodeType
from typing import Final

from jinja2 import BytecodeCache, Environment, FunctionLoader, StrictUndefined
from jinja2.bccache import Bucket
from starlette.responses import HTMLResponse

from signalfleet.web.assets import Assets
from signalfleet.web.present import formats
from signalfleet.web.present.words import Words

HTMX_CONFIG: Final = (
    '{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,'
    '"selfRequestsOnly":true,"historyEnabled":false,"timeout":10000,"responseHandling":['
    '{"code":"204","swap":false},{"code":"[23]..","swap":true},{"code":"422","swap":true},'
    '{"code":"[45]..","swap":true,"target":"#notice","error":true}]}'
)


class _Compiled(BytecodeCache):
    """Compiles a template once in a process, however many sites it serves."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED: Final = _Compiled()


def _read_template(name: str) -> str | None:
    entry = files("signalfleet.web") / "templates" / name
    return entry.read_text() if entry.is_file() else None


def _to_json(value: object) -> str:
    """Show stored values as they are; the template escapes the result like any text."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)


class Pages:
    """Renders templates."""

    def __init__(self, assets: Assets, words: Words, *, version: str) -> None:
        self._templates = Environment(
            loader=FunctionLoader(_read_template),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        self._templates.globals.update(
            asset=assets.url, words=words, version=version, htmx_config=HTMX_CONFIG
        )
        self._templates.filters.update(
            amount=formats.amount,
            signed=formats.signed,
            tone=formats.tone,
            percent=formats.percent,
            since=formats.since,
            seconds=formats.seconds,
            to_json=_to_json,
        )

    def render(self, template: str, values: Mapping[str, object]) -> str:
        return self._templates.get_template(template).render(values)

    def response(
        self,
        template: str,
        values: Mapping[str, object],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        return HTMLResponse(self.render(template, values), status, dict(headers or {}))
