import pytest

from signalfleet.bootstrap.language import load_lexicon, load_symbols
from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.symbols import build_symbols
from signalfleet.domain.signals.lexicon import build_lexicon

LANGUAGES = "en ar fa ru es pt fr de it tr id hi zh vi".split()


def test_all_promised_languages_are_there() -> None:
    assert set(LANGUAGES) <= set(load_lexicon().languages)


def test_every_symbol_of_a_language_file_is_canonical() -> None:
    known = set(load_symbols().facts)
    named = set()
    stack = [load_lexicon().root]
    while stack:
        node = stack.pop()
        for key, child in node.items():
            if key:
                stack.append(child)
            else:
                named |= {claim.value for claim in child.claims if claim.role == "symbol"}
    assert named <= known


def test_a_role_that_nobody_knows_is_refused_with_its_name() -> None:
    with pytest.raises(DomainError, match="'bye' is no role"):
        build_lexicon([{"language": "xx", "version": 1, "roles": {"bye": ["x"]}}])


def test_a_phrase_without_a_word_is_refused() -> None:
    with pytest.raises(DomainError, match="holds no word"):
        build_lexicon([{"language": "xx", "version": 1, "roles": {"buy": ["..."]}}])


def test_a_symbol_that_is_not_canonical_is_refused() -> None:
    kinds = {"fx": {"pip": "0.0001", "symbols": {"eur/usd": {}}}}
    with pytest.raises(DomainError, match="no canonical symbol"):
        build_symbols({"kinds": kinds, "suffixes": [], "currencies": []})


def test_misspelt_label_words_are_corrected_and_others_are_not() -> None:
    lexicon = load_lexicon()
    assert lexicon.correct("traget", lexicon.root) is lexicon.root["target"]
    assert lexicon.correct("profti", lexicon.root["take"]) is lexicon.root["take"]["profit"]
    assert lexicon.correct("gibberish", lexicon.root) is None
