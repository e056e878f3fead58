"""The table of codes and statuses, written out a second time from the documents."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.metaapi_rig import DONE, TOO_MANY, error
from signalfleet.adapters.metaapi.answers import (
    Answer,
    credits_left,
    error_body,
    read_payload,
    retry_delay,
    trade_outcome,
)
from signalfleet.adapters.metaapi.errors import CODES
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

ACCEPTED = {0, 10008, 10009, 10010, 10025}
AGAIN = {10004, 10020, 10021, -6, -10, 10024}
REJECTED = {
    *(10013, 10014, 10015, 10016, 10022, 10030, 10035, 10038, -9, -4),
    *(10006, 10017, 10018, 10019, 10026, 10027, 10028, 10029, 10032, 10033, 10034),
    *(10040, 10041, 10042, 10043, 10044, 10045, 10046, 133, -8),
}
ALREADY_SO = {4753, 4754, 10036, 10039}
UNKNOWN = {10007, 10011, 10012, 10023, 10031, -7, -5, -1, -11, 128}


def judge(number: object, name: object = None, *, entry: bool = True, status: int = 200) -> Outcome:
    body = {"numericCode": number, "stringCode": name, "message": "text"}
    return trade_outcome(Answer(status=status, payload=body), entry=entry, now=NOW)


def test_the_table_holds_exactly_the_documented_codes() -> None:
    assert set(CODES) == ACCEPTED | AGAIN | REJECTED | ALREADY_SO | UNKNOWN
    assert len({name for name, _ in CODES.values()}) == len(CODES)


@pytest.mark.parametrize("entry", [True, False])
@pytest.mark.parametrize("number", sorted(CODES))
def test_each_code_proves_what_the_table_says(number: int, entry: bool) -> None:
    name = CODES[number][0]
    outcome = judge(number, name, entry=entry)
    if number in ACCEPTED:
        assert outcome == Accepted(code=name)
    elif number in AGAIN:
        assert outcome == Rejected(code=name, text="text", again=True)
    elif number in REJECTED:
        assert outcome == Rejected(code=name, text="text")
    elif number in ALREADY_SO and not entry:
        assert outcome == Rejected(code=name, text="text", already_so=True)
    else:
        assert outcome == Unknown(cause=f"code_{number}")


@given(st.integers())
def test_a_code_outside_the_table_proves_nothing(number: int) -> None:
    if number not in CODES:
        assert judge(number) == Unknown(cause=f"code_{number}")


def test_a_rejection_in_a_2xx_answer_is_a_rejection() -> None:
    assert isinstance(judge(10019, "TRADE_RETCODE_NO_MONEY"), Rejected)


def test_the_name_alone_is_enough_and_the_number_alone_too() -> None:
    assert isinstance(judge(None, "TRADE_RETCODE_DONE"), Accepted)
    assert isinstance(judge(10009, None), Accepted)
    assert isinstance(judge(10009, "A_NAME_OF_TOMORROW"), Accepted)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (10009, "TRADE_RETCODE_REJECT"),
        (10006, "TRADE_RETCODE_DONE"),
        (None, None),
        (None, "A_NAME_OF_TOMORROW"),
        (True, "TRADE_RETCODE_DONE"),
        ("10009", "TRADE_RETCODE_DONE"),
    ],
)
def test_contradicting_or_missing_codes_prove_nothing(number: object, name: object) -> None:
    assert judge(number, name) == Unknown(cause="no_code")


def test_ids_are_opaque_texts_and_may_be_missing() -> None:
    answer = Answer(status=200, payload=DONE | {"orderId": 46870472, "positionId": ""})
    assert trade_outcome(answer, entry=True, now=NOW) == Accepted(
        code="TRADE_RETCODE_DONE", order_id="46870472"
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusing_status_counts_with_metaapis_body_only(status: int) -> None:
    mine = trade_outcome(Answer(status=status, payload=error()), entry=True, now=NOW)
    gateways = trade_outcome(Answer(status=status, payload={"e": 1}), entry=True, now=NOW)
    assert mine == Rejected(code="ValidationError", text="No.")
    assert gateways == Unknown(cause=f"http_{status}")


@pytest.mark.parametrize("status", [301, 302, 307, 402, 418, 500, 502, 503, 504])
@pytest.mark.parametrize("payload", [error(), DONE, None])
def test_other_statuses_prove_nothing_whatever_they_hold(status: int, payload: object) -> None:
    outcome = trade_outcome(Answer(status=status, payload=payload), entry=True, now=NOW)
    assert outcome == Unknown(cause=f"http_{status}")


def too_many(retry: object = "2026-03-02T10:00:05.000Z", **more: object) -> Answer:
    metadata = {"total": 6000, "available": 300, "recommendedRetryTime": retry}
    return Answer(
        status=429,
        payload=error("TooManyRequestsError", metadata=metadata),
        **more,  # type: ignore[arg-type]
    )


def test_429_with_metaapis_body_may_go_again_at_the_stated_time() -> None:
    assert trade_outcome(too_many(), entry=True, now=NOW) == Rejected(
        code="TooManyRequestsError",
        text="No.",
        again=True,
        retry_at=NOW + timedelta(seconds=5),
    )


@pytest.mark.parametrize(
    "answer", [Answer(status=429), Answer(status=429, payload=error("TooManyRequestsError"))]
)
def test_429_without_that_body_proves_nothing(answer: Answer) -> None:
    assert trade_outcome(answer, entry=True, now=NOW) == Unknown(cause="http_429")


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (too_many(), 5),
        (too_many("2026-03-02T09:00:00.000Z"), 1),
        (too_many("2027-01-01T00:00:00.000Z"), 3600),
        (too_many("soon", retry_after="7"), 7),
        (too_many(None, retry_after="Mon, 02 Mar 2026 10:00:09 GMT"), 9),
        (too_many(None, retry_after="whenever"), 1),
        (too_many(None, retry_after="9" * 30), 3600),
        (too_many(12), 1),
        (Answer(status=429), 1),
    ],
)
def test_waiting_lasts_between_a_second_and_an_hour(answer: Answer, seconds: int) -> None:
    assert retry_delay(answer, NOW) == timedelta(seconds=seconds)


def test_the_share_of_credits_left_is_read_from_a_429() -> None:
    assert credits_left(too_many()) == 0.05
    assert credits_left(Answer(status=429)) is None


@pytest.mark.parametrize(
    ("details", "text"),
    [
        (
            [{"parameter": "volume", "value": -1, "message": "must be above 0"}],
            "No. (volume: must be above 0)",
        ),
        ("E_AUTH", "No. (E_AUTH)"),
        ({"code": "E_SRV_NOT_FOUND", "x": 1}, "No. (E_SRV_NOT_FOUND)"),
        (None, "No."),
        (7, "No."),
    ],
)
def test_the_three_shapes_of_details_become_words(details: object, text: str) -> None:
    body = error_body(Answer(status=400, payload=error(details=details)))
    assert body is not None
    assert body.text == text


def test_long_foreign_texts_are_cut() -> None:
    body = error_body(Answer(status=400, payload=error(details="x" * 10_000)))
    assert body is not None
    assert len(body.text) == 300


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_asks_the_user_to_sign_in(status: int) -> None:
    with pytest.raises(SignInRequiredError) as caught:
        read_payload(Answer(status=status, payload=error("UnauthorizedError")), NOW)
    assert caught.value.reason == "token_refused"


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refused_read_stays_refused(status: int) -> None:
    with pytest.raises(RefusedError, match="NotFoundError"):
        read_payload(Answer(status=status, payload=error("NotFoundError")), NOW)


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 502, 503, 504])
def test_what_a_gateway_says_passes_by_itself(status: int) -> None:
    with pytest.raises(TemporaryError):
        read_payload(Answer(status=status, readable=False), NOW)


def test_a_throttled_read_says_how_long() -> None:
    with pytest.raises(TemporaryError) as caught:
        read_payload(too_many(), NOW)
    assert caught.value.retry_after == 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
fields = st.sampled_from(
    ["numericCode", "stringCode", "message", "orderId", "id", "error", "details", "metadata"]
)


@given(
    st.integers(100, 599),
    json_values | st.dictionaries(fields, json_values),
    st.booleans(),
    st.none() | st.text(),
)
def test_any_answer_gets_a_verdict(
    status: int, payload: object, entry: bool, retry_after: str | None
) -> None:
    answer = Answer(status=status, payload=payload, retry_after=retry_after)
    outcome = trade_outcome(answer, entry=entry, now=NOW)
    if not 200 <= status < 300:
        assert not isinstance(outcome, Accepted)
    try:
        read_payload(answer, NOW)
    except (TemporaryError, RefusedError, SignInRequiredError):
        assert not 200 <= status < 300
    credits_left(answer)


def test_the_documented_answer_with_ids_as_numbers_is_read() -> None:
    """Example of metaapi.cloud/docs/client/models/metatraderTradeResponse."""
    body = DONE | {"orderId": 47138322, "positionId": 46648037}
    outcome = trade_outcome(Answer(status=200, payload=body), entry=True, now=NOW)
    assert outcome == Accepted(
        code="TRADE_RETCODE_DONE", order_id="47138322", position_id="46648037"
    )


def test_the_documented_refusal_for_credits_waits_for_the_stated_time() -> None:
    now = datetime(2022, 5, 31, 9, 0, 50, tzinfo=UTC)
    answer = Answer(status=429, payload=TOO_MANY)
    outcome = trade_outcome(answer, entry=True, now=now)
    assert isinstance(outcome, Rejected)
    assert outcome.retry_at == datetime(2022, 5, 31, 9, 0, 52, 361_000, tzinfo=UTC)
    assert credits_left(answer) == 0
