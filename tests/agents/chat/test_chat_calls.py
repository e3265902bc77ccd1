"""What a model call does when the server, the line or the model is at fault, and what is charged for it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest

from agents.errors import Fenced, ModelMisbehaved, ModelUnavailable
from agents.graphs.brains.chat_faults import fault_of
from agents.graphs.ports import Usage
from tests.agents.chat.world import (
    KEY,
    NAME,
    OBJECTIVE,
    PASSAGES,
    QUESTION,
    SOURCES,
    Bills,
    brain_of,
    extract,
    refusal,
)
from tests.model_server import MODEL, ModelServer, Turn

SHORT = 2.0  # seconds; so long a silent server is waited for
MALFORMED = Turn(says=lambda _: '{"findings": [{"statement": ')
NO_JSON = Turn(says=lambda _: "I would rather not.", in_words=True)
WRONG_SHAPE = Turn(says=lambda _: '{"findings": [{"passage": 1}], "more": true}')


@pytest.mark.parametrize(
    "fault",
    [
        MALFORMED,
        NO_JSON,
        WRONG_SHAPE,
        Turn(status=429),
        Turn(status=429, headers={"Retry-After": "0"}),
        Turn(status=500),
        Turn(status=503, raw=b"<h1>Down for now</h1>", headers={"Content-Type": "text/html"}),
        Turn(status=408),
        Turn(cut=True),
        Turn(raw=b"<h1>Welcome</h1>", headers={"Content-Type": "text/html"}),
        Turn(raw=b'{"id": "x", "choices": nul'),
        Turn(raw=b'{"id": "x", "choices": null}'),
        Turn(raw=b'{"id": "x", "choices": []}'),
        Turn(raw=b"[]"),
        Turn(raw=b'{"error": "later"}'),
        Turn(raw=b""),
    ],
    ids=[
        *(
            "malformed",
            "no json",
            "wrong shape",
            "429",
            "429 with a wait",
            "500",
            "503",
            "408",
            "cut",
            "a page",
        ),
        *("broken", "no choices", "empty choices", "a list", "error in a 200", "empty"),
    ],
)
def test_passing_fault_is_tried_again(server: ModelServer, bills: Bills, fault: Turn) -> None:
    server.script.append(fault)
    assert extract(brain_of(server.base_url, bills))
    assert len(server.received) == 2
    assert bills.only.tries == 2


def test_silence_is_tried_again(bills: Bills) -> None:
    with ModelServer(Turn(silent=True)) as server:
        assert extract(brain_of(server.base_url, bills, timeout=SHORT))
    assert bills.only.tries == 2


@pytest.mark.parametrize("fault", [Turn(silent=True), Turn(trickles=True)], ids=["silent", "trickling"])
def test_server_that_never_finishes_is_given_up(bills: Bills, fault: Turn) -> None:
    with ModelServer(fault) as server:
        error = refusal(server, bills, timeout=SHORT, retries=0)
    assert isinstance(error, ModelUnavailable)
    assert "did not answer in time" in str(error)
    assert bills.only.tries == 1


def test_all_tries_together_are_bounded_in_time(bills: Bills) -> None:
    with ModelServer(*[Turn(silent=True)] * 50) as server:
        refusal(server, bills, timeout=0.2, retries=3, backoff=0.4)
    assert bills.only.tries < 4


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_tries_are_bounded_and_counted(server: ModelServer, bills: Bills, retries: int) -> None:
    server.script.extend([Turn(status=500)] * 20)
    error = refusal(server, bills, retries=retries)
    assert isinstance(error, ModelUnavailable)
    assert len(server.received) == retries + 1 == bills.only.tries


@pytest.mark.parametrize("fault", [MALFORMED, NO_JSON, WRONG_SHAPE], ids=["malformed", "no json", "wrong shape"])
def test_model_that_never_fits_the_form_misbehaves(server: ModelServer, bills: Bills, fault: Turn) -> None:
    server.script.extend([fault] * 20)
    error = refusal(server, bills)
    assert isinstance(error, ModelMisbehaved)
    assert "another form than asked" in str(error)
    assert len(server.received) == 3
    assert bills.only.output_tokens > 0


def test_repair_shows_the_answer_what_is_wrong_and_the_form(server: ModelServer, bills: Bills) -> None:
    server.script.append(WRONG_SHAPE)
    extract(brain_of(server.base_url, bills))
    *_, answer, complaint = server.received[1].body["messages"]
    assert answer["role"] == "assistant"
    assert json.loads(answer["content"])["more"] is True
    assert "findings.0.statement: Field required" in complaint["content"]
    assert '"relevance"' in complaint["content"]


def test_repairs_do_not_pile_up(server: ModelServer, bills: Bills) -> None:
    server.script.extend([WRONG_SHAPE] * 4)
    extract(brain_of(server.base_url, bills, retries=4))
    assert [len(asked.body["messages"]) for asked in server.received] == [2, 4, 4, 4, 4]


def test_roles_alternate_even_after_an_empty_answer(server: ModelServer, bills: Bills) -> None:
    server.script.append(Turn(says=lambda _: "", in_words=True))
    extract(brain_of(server.base_url, bills))
    assert [each["role"] for each in server.received[1].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert all(each["content"] for each in server.received[1].body["messages"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Turn(status=401), ["refused the key (401)", "Check the model's key"]),
        (Turn(status=403), ["refused the key (403)"]),
        (Turn(status=404), ["is not known there (404)", "Check the model's name"]),
        (Turn(status=413, error="Too big."), ["refused the request (413): Too big."]),
        (Turn(status=429, code="insufficient_quota"), ["no quota left (429)"]),
        (Turn(status=400, code="context_length_exceeded"), ["cannot read that much"]),
    ],
    ids=["401", "403", "404", "413", "quota", "context"],
)
def test_lasting_fault_is_not_tried_again(
    server: ModelServer, bills: Bills, fault: Turn, expected: Sequence[str]
) -> None:
    server.speaks = frozenset()
    brain = brain_of(server.base_url, bills)
    extract(brain)
    server.received.clear()
    bills.usages.clear()
    server.script.append(fault)
    with pytest.raises(ModelUnavailable) as caught:
        extract(brain)
    message = str(caught.value)
    assert all(words in message for words in [NAME, server.base_url, *expected])
    assert len(server.received) == 1 == bills.only.tries


def test_unknown_model_is_named(server: ModelServer, bills: Bills) -> None:
    error = refusal(server, bills, name="openai:nobody")
    assert "openai:nobody" in str(error)
    assert len(server.received) == 1


def test_no_error_names_the_key(bills: Bills) -> None:
    with ModelServer(key="another") as server:
        texts = [str(refusal(server, bills, base_url=server.base_url.replace("//", "//me:secret@")))]
        assert "401" in texts[0]
    with ModelServer(*[Turn(status=500, error=f"{KEY} is bad")] * 3) as server:
        texts.append(str(refusal(server, bills)))
        assert "… is bad" in texts[1]
    with ModelServer(*[Turn(raw=f"{KEY}?".encode(), headers={"Content-Type": "text/plain"})] * 3) as server:
        texts.append(str(refusal(server, bills)))
    assert not [text for text in texts if KEY in text or "secret" in text]


def test_error_is_short_however_much_the_server_says(bills: Bills) -> None:
    with ModelServer(*[Turn(status=500, error="No. " * 9000)] * 3) as server:
        assert len(str(refusal(server, bills))) < 600


def test_server_that_is_down_is_said_to_be(bills: Bills) -> None:
    with ModelServer() as server:
        pass
    error = refusal(server, bills)
    assert isinstance(error, ModelUnavailable)
    assert "cannot be reached" in str(error)
    assert "after 3 tries" in str(error)
    assert (bills.only.tries, bills.only.input_tokens, Decimal(bills.only.cost)) == (3, 0, Decimal(0))


@pytest.mark.parametrize(
    "late", ["3600", format_datetime(datetime.now(UTC) + timedelta(hours=1))], ids=["seconds", "date"]
)
def test_longer_wait_than_the_call_may_take_ends_it_at_once(server: ModelServer, bills: Bills, late: str) -> None:
    server.script.append(Turn(status=429, headers={"Retry-After": late}))
    error = refusal(server, bills)
    assert isinstance(error, ModelUnavailable)
    assert "asks to wait" in str(error)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 0 ", 0), ("Mon, 01 Jan 2001 00:00:00 GMT", 0), ("-5", 0), ("soon", 0), ("", 0), ("٣", 0)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float) -> None:
    class Refused(Exception):
        status_code = 429
        response = type("Response", (), {"headers": {"retry-after": value}})()

    assert fault_of(Refused()).wait == seconds


def test_tokens_of_failed_tries_are_charged_at_exact_cost(server: ModelServer, bills: Bills) -> None:
    answers = 3
    server.script.extend([WRONG_SHAPE, Turn(status=500), WRONG_SHAPE])
    extract(brain_of(server.base_url, bills, retries=3))
    usage = bills.only
    with ModelServer() as other:
        extract(brain_of(other.base_url, alone := Bills()))
    assert usage.input_tokens > answers * alone.only.input_tokens
    exact = (Decimal("0.25") * usage.input_tokens + 2 * usage.output_tokens) / 1_000_000
    assert Decimal(usage.cost) == exact > 0
    assert "E" not in usage.cost
    assert (usage.model, usage.purpose, usage.tries) == (NAME, "extract", 4)
    assert usage.duration_ms >= 0


def test_tiny_cost_is_written_without_exponent(server: ModelServer, bills: Bills) -> None:
    extract(brain_of(server.base_url, bills, input_price=Decimal("0.0001"), output_price=Decimal("0")))
    assert bills.only.cost == f"{Decimal('0.0000000001') * bills.only.input_tokens:f}"


def test_server_that_reports_no_usage_adds_no_tokens(server: ModelServer, bills: Bills) -> None:
    server.script.append(Turn(usage=False))
    extract(brain_of(server.base_url, bills))
    assert (bills.only.input_tokens, bills.only.output_tokens, Decimal(bills.only.cost)) == (0, 0, Decimal(0))


def test_each_call_is_charged_under_its_purpose(server: ModelServer, bills: Bills) -> None:
    brain = brain_of(server.base_url, bills)
    brain.plan(OBJECTIVE, SOURCES, PASSAGES, most=2)
    brain.analyse(QUESTION, PASSAGES, most=2)
    assert [usage.purpose for usage in bills.usages] == ["plan", "analyse"]


def test_refusing_account_ends_the_call_and_is_not_tried_again(server: ModelServer) -> None:
    class Closed(Bills):
        def charge(self, usage: Usage) -> None:
            raise Fenced

    with pytest.raises(Fenced):
        extract(brain_of(server.base_url, Closed()))
    assert len(server.received) == 1


def test_key_is_sent_and_a_keyless_server_gets_none_of_ours(
    server: ModelServer, bills: Bills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    extract(brain_of(server.base_url, bills, api_key=""))
    extract(brain_of(server.base_url, bills))
    sent = [asked.headers["Authorization"] for asked in server.received]
    assert KEY not in sent[0]
    assert sent[1] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": MODEL}, "write provider:name"),
        ({"name": "openai:"}, "write provider:name"),
        ({"name": "nobody:x"}, "There is no provider"),
        ({"name": "anthropic:x"}, "langchain-anthropic"),
        ({"base_url": "", "api_key": ""}, "cannot be used"),
        ({"base_url": "http://[::1"}, "cannot be used"),
    ],
)
def test_brain_that_cannot_be_made_says_why(
    bills: Bills, options: Mapping[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelUnavailable, match=reason):
        brain_of(**{"base_url": "http://127.0.0.1:9/v1", "bills": bills, **options})
