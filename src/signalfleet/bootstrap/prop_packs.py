"""Rule packs of prop firms: those that come with the product."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from signalfleet.domain.risk.prop_packs import PropPack, build_pack


@cache
def load_packs() -> Mapping[str, PropPack]:
    folder = files("signalfleet") / "data" / "prop_firms"
    found = {}
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            slug = file.name.removesuffix(".toml")
            found[slug] = build_pack(slug, tomllib.loads(file.read_text(encoding="utf-8")))
    return found
