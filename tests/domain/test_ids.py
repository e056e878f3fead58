"""Ids are the same for ever: they stand on disk and in brokers' books."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain import ids
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId, InstallationId, MessageId, UserId

INSTALLATION = InstallationId("in_7f3c")
USER = UserId("u_mfrggzdfmztwq2lk")
ACCOUNT = AccountId("a_paper1")
CHAT = ChannelId(-1001234567890)
MESSAGE = MessageId(4711)
SIGNAL = ids.signal_id(USER, CHAT, MESSAGE, 0)
TRADE = ids.trade_id(USER, ACCOUNT, SIGNAL, 1)


def test_every_id_of_the_test_vector_is_exact() -> None:
    content = ids.content_hash("BUY GOLD 2350 SL 2340 TP 2360", None, "text")
    entry = ids.intent_id(USER, ACCOUNT, TRADE, "OPEN", "entry")
    assert content == "81f6a635d9c930324a0a88ab6df56e74"
    assert ids.revision_id(USER, CHAT, MESSAGE, None, content) == "mDVS5GRMRZZ7HWGIRKCALZTU4"
    assert SIGNAL == "3X6ZB3E3ZV2DL4XM"
    assert TRADE == "EJIQROFJUNEUDZLA"
    assert entry == "i7EZCPFCS3G6WU6Z6RZ6I6PQA"
    assert ids.client_id(INSTALLATION, TRADE, "E0") == "S165_EJIQROFJUNEUDZLA_E0"
    assert ids.magic(INSTALLATION, CHAT) == 1_645_231_676
    assert ids.slot(USER) == 289


def test_an_id_has_the_length_that_the_vendors_allow() -> None:
    assert len(ids.client_id(INSTALLATION, TRADE, "E0")) == 24
    assert len(ids.intent_id(USER, ACCOUNT, TRADE, "OPEN", "entry")) == 25
    assert (len(SIGNAL), len(TRADE)) == (16, 16)


def test_the_content_is_compared_in_one_form_of_its_letters() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert ids.content_hash(composed, None, "") == ids.content_hash(decomposed, None, "")


def test_the_stem_of_a_client_id_survives_what_brokers_put_at_its_end() -> None:
    assert ids.client_id_stem("S165_EJIQROFJUNEUDZLA_sl") == "S165_EJIQROFJUNEUDZLA"
    assert ids.client_id_stem("from #12") == "from #12"


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_fields_never_join_to_the_same_bytes(one: list[str], other: list[str]) -> None:
    same = ids.length_prefixed(*one) == ids.length_prefixed(*other)
    assert same is (one == other)


@given(
    st.sampled_from(["u_mfrggzdfmztwq2lk", "u_aaaaaaaaaaaaaaaa"]),
    st.sampled_from(["a_1", "a_2"]),
    st.integers(1, 3),
    st.integers(0, 1),
    st.integers(1, 3),
)
def test_another_user_account_message_part_or_leg_is_another_trade(
    user: str, account: str, message: int, part: int, leg: int
) -> None:
    def of(user: str, account: str, message: int, part: int, leg: int) -> str:
        owner = UserId(user)
        signal = ids.signal_id(owner, CHAT, MessageId(message), part)
        return ids.trade_id(owner, AccountId(account), signal, leg)

    mine = of(user, account, message, part, leg)
    assert mine == of(user, account, message, part, leg)
    others = {
        of("u_zzzzzzzzzzzzzzzz", account, message, part, leg),
        of(user, "a_3", message, part, leg),
        of(user, account, message + 1, part, leg),
        of(user, account, message, part + 1, leg),
        of(user, account, message, part, leg + 1),
    }
    assert mine not in others
    assert len(others) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u_",
        "mfrggzdfmztwq2lk",
        "u_mfrggzdfmztwq2",
        "u_" + "a" * 27,
        "u_MFRGGZDFMZTWQ2LK",
        "u_mfrggzdfmztwq2l/",
        "u_mfrggzdfmztwq2l.",
        "u_../../../../etc",
        "u_mfrggzdfmztwq2lk\n",
        " u_mfrggzdfmztwq2lk",
        "u_mfrggzdfmztwq2l\u00e9",
    ],
)
def test_a_user_id_is_refused_unless_it_is_safe_in_a_path_and_on_the_bus(text: str) -> None:
    with pytest.raises(DomainError):
        UserId(text)


@given(st.binary(min_size=16, max_size=16))
def test_a_new_user_id_is_always_a_valid_one(entropy: bytes) -> None:
    assert ids.new_user_id(entropy) == UserId(ids.new_user_id(entropy))
    assert 0 <= ids.slot(ids.new_user_id(entropy)) < ids.SLOTS
