"""What a log line holds, and what it never shows."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.logs import LogFormat, bind_call, log_event, mask, masked, setup_logging

log = logging.getLogger("tests.logs")


@contextmanager
def logging_to(form: LogFormat, level: str = "DEBUG") -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    stream = io.StringIO()
    try:
        setup_logging(level, form, stream)
        yield stream
    finally:
        root.handlers[:], root.level = before


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# --------------------------------------------------------------------------------------------------------- masking

NUMBERS = [
    ("+989550100167", "+**********67"),
    ("+98 955 010 0167", "+** *** *** **67"),
    ("+1 (415) 555-0123", "+* (***) ***-**23"),
    ("+972-0-0000067", "+***-*-*****67"),
    ("+44.7700.900.158", "+**.****.***.*58"),
    ("00989550100167", "************67"),
    ("09550100167", "*********67"),
    ("0955 010 0167", "**** *** **67"),
    ("0912-123-4567", "****-***-**67"),
    ("(021) 88887777", "(***) ******77"),
    ("(0955) 0100167", "(****) *****67"),
    ("021-88887777", "***-******77"),
    ("036501234", "*******34"),
    ("4155550123", "********23"),
    ("415-555-0123", "***-***-**23"),
    ("(415) 555-0123", "(***) ***-**23"),
    ("14155550123", "*********23"),
    ("989550100167", "**********67"),
    ("۰۹۱۲۱۲۳۴۵۶۷", "*********۶۷"),
    ("+۹۸ ۹۱۲ ۱۲۳ ۴۵۶۷", "+** *** *** **۶۷"),
    ("٠٥٠١٢٣٤٥٦٧", "********٦٧"),
    ("०९१२१२३४५६७", "*********६७"),
    ("شماره۰۹۱۲۱۲۳۴۵۶۷است", "شماره*********۶۷است"),
    ("call 09550100167, please", "call *********67, please"),
    ("PJSIP/+989550100167@carrier-0000001a", "PJSIP/+**********67@carrier-0000001a"),
    ("sip:02188887777@10.0.0.5:5060", "sip:*********77@10.0.0.5:5060"),
    ("rec_09550100167.wav", "rec_*********67.wav"),
]

CARDS = [
    ("4111111111111111", "**************11"),
    ("4111 1111 1111 1111", "**** **** **** **11"),
    ("4111-1111-1111-1111", "****-****-****-**11"),
    ("378282246310005", "*************05"),
    ("3782 822463 10005", "**** ****** ***05"),
    ("6037-9971-1111-1112", "****-****-****-**12"),
    ("۶۰۳۷ ۹۹۷۱ ۱۱۱۱ ۱۱۱۲", "**** **** **** **۱۲"),
]

MAIL = [
    ("write to a.b+c@example.co.uk now", "write to ***@*** now"),
    ("سارا@example.ir", "***@***"),
]

SECRETS = [
    ("Authorization: Bearer abc.def-123", "Authorization: [secret]"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [secret]"),
    ('{"password": "hunter2"}', '{"password": "[secret]"}'),
    ("GET /x?token=abc123&page=2", "GET /x?token=[secret]&page=2"),
    ("api_key=sk-123 ok", "api_key=[secret] ok"),
    ("http://lk:hunter2@pbx:8088/ari", "http://lk:[secret]@pbx:8088/ari"),  # pragma: allowlist secret
]

HARMLESS = [
    "plain words, 3 of 20",
    "01kdq0000abcdefg",
    "lk.engine-1.cu.01kdq0000abcdefg.12;2",
    "1767600000.123",
    "1767600000",
    "1767600000123",
    "1767600000123456",
    "1767600000123456789",
    "2026-01-05T09:00:00.123456+00:00",
    "2026-01-05 09:00:00",
    "2026-01-05 09:00:00,123",
    "2026-01-05",
    "127.0.0.1:8088",
    "192.168.100.200",
    "pid 1234567, port 65535",
    "order 123456789",
    "took 0.123456789012 s",
    "3.14159265358979",
    "1_000_000 of 12345678 bytes",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "PJSIP/1001-00000012",
    "Local/100@menu-00000003;1",
    "Q.850 cause 16, status 404",
    "rate 8000 Hz, 320 bytes, 20 ms",
    "Asterisk 22.10.1",
    "user@host without a dot",
    "2 + 2 = 4",
    "page 1/20, 50%, 10-20, 100-200",
    "[1, 2, 3, 4, 5, 6, 7, 8]",
    "tokens: many",
]


@pytest.mark.parametrize(("text", "expected"), NUMBERS + CARDS + MAIL + SECRETS)
def test_what_belongs_to_a_person_is_masked(text: str, expected: str) -> None:
    """Numbers and cards in any script and spelling keep two digits, mail addresses and secrets nothing."""
    assert mask(text) == expected


@pytest.mark.parametrize("text", HARMLESS)
def test_what_an_operator_needs_is_left(text: str) -> None:
    """Ids, times, addresses, ports, counts and versions look like numbers and are none."""
    assert mask(text) == text


@given(
    before=st.sampled_from(["", "to ", "شماره ", "<", "number=", '"', "tel:"]),
    digits=st.from_regex(r"\+[1-9][0-9]{9,13}", fullmatch=True),
    after=st.sampled_from(["", " now", ".", ">", '"', ", and", "؟"]),
)
def test_no_e164_number_survives_in_a_sentence(before: str, digits: str, after: str) -> None:
    """Whatever stands around it, at most the last two digits are left."""
    assert digits[:-2] not in mask(before + digits + after)
    assert mask(mask(before + digits + after)) == mask(before + digits + after)


@given(st.text(max_size=80))
def test_masking_never_fails_and_masks_once(text: str) -> None:
    """Any text goes through, and a masked text is left alone."""
    assert mask(mask(text)) == mask(text)


def test_masking_a_long_text_takes_no_time() -> None:
    """No pattern backtracks: 100,000 characters of digits or of near misses are done at once."""
    for text in ("1" * 100_000, "1 " * 50_000, "a@" * 50_000, "+" * 100_000, "a." * 50_000, "(1" * 50_000):
        mask(text)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("pii_number", "+989550100167", "***67"),
        ("pii_number", "٠٥٠١٢٣٤٥٦٧", "***٦٧"),
        ("pii_name", "Sara", "***"),
        ("pii_text", "call me on 09550100167 tomorrow please", "***"),
        ("pii_age", 41, "***"),
        ("pii_name", None, None),
        ("password", "hunter2", "[secret]"),
        ("ari_password", "hunter2", "[secret]"),
        ("X-Api-Key", "sk", "[secret]"),
        ("access_token", ["a"], "[secret]"),
        ("max_tokens", 400, 400),
        ("token", 3, 3),
        ("call_id", "01kdq0000abcdefg", "01kdq0000abcdefg"),
        ("channel_id", "14155550123", "14155550123"),
        ("flow_hash", "989550100167", "989550100167"),
        ("number", "989550100167", "**********67"),
        ("duration_ms", 12345678901, 12345678901),
        ("at", datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05 00:00:00+00:00"),
        ("numbers", ("09550100167", "x"), ["*********67", "x"]),
        ("body", {"phone": "09550100167", "auth": {"token": "x"}, "pii_name": "Sara"},
         {"phone": "*********67", "auth": {"token": "[secret]"}, "pii_name": "***"}),
        ("error", ValueError("bad number 09550100167"), "bad number *********67"),
    ],
)  # fmt: skip
def test_fields_are_masked_by_their_key_and_their_value(key: str, value: object, expected: object) -> None:
    """`pii_` hides, secrets vanish at any depth, ids stay readable, everything else is masked as text."""
    assert masked(key, value) == expected


# ------------------------------------------------------------------------------------------------------------ lines


def test_an_event_is_one_json_object() -> None:
    """The name of what happened, then its data as fields."""
    with logging_to("json") as stream:
        log_event(
            log, logging.INFO, "call_ended", outcome="busy", ring_s=4.2, pii_number="+989550100167", level="x"
        )
    [line] = lines(stream)
    assert datetime.fromisoformat(line.pop("at")).tzinfo is not None
    assert line == {
        "level": "info",
        "event": "call_ended",
        "logger": "tests.logs",
        "outcome": "busy",
        "ring_s": 4.2,
        "pii_number": "***67",
        "level_": "x",
    }


def test_a_library_cannot_forget_to_mask() -> None:
    """Plain messages, their arguments and tracebacks pass the same mask."""
    with logging_to("json") as stream:
        log.warning("calling %s with %s", "09550100167", {"password": "hunter2"})
        try:
            raise ValueError("no route to +989550100167")
        except ValueError:
            log.exception("oops")
    assert "0912123" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert "989121" not in stream.getvalue()
    first, second = lines(stream)
    assert first["message"] == "calling *********67 with {'password': '[secret]'}"
    assert "ValueError: no route to +**********67" in second["traceback"]


async def test_the_call_stands_in_every_line_of_its_tasks() -> None:
    """Two calls at once: each line carries the id of the call whose task wrote it, children's lines too."""

    async def child(n: int) -> None:
        await asyncio.sleep(0)
        log_event(log, logging.INFO, "child", n=n)

    async def call(n: int) -> None:
        with bind_call(f"call{n}"):
            async with asyncio.TaskGroup() as group:
                group.create_task(child(n))
                group.create_task(child(n))
        log_event(log, logging.INFO, "outside")

    with logging_to("json") as stream:
        async with asyncio.TaskGroup() as group:
            for n in range(2):
                group.create_task(call(n))
    said = [(line["event"], line.get("call_id"), line.get("n")) for line in lines(stream)]
    assert sorted(said, key=str) == [
        ("child", "call0", 0),
        ("child", "call0", 0),
        ("child", "call1", 1),
        ("child", "call1", 1),
        ("outside", None, None),
        ("outside", None, None),
    ]


def test_text_is_for_a_terminal_and_cannot_be_forged() -> None:
    """A caller's name with line breaks and escape codes stays one harmless line."""
    with logging_to("text") as stream:
        log_event(
            log, logging.WARNING, "call_ended", outcome="busy", name="x\nERROR all\x1b[31m lost\x9b", n=None
        )
        log.info("said\nERROR %s", "\x1b[2J")
    first, second = stream.getvalue().splitlines()
    assert first[13:] == (
        r'WARNING call_ended  logger=tests.logs outcome=busy name="x\nERROR all\u001b[31m lost\u009b" n=null'
    )
    assert second[13:] == r"INFO    said\nERROR \u001b[2J  logger=tests.logs"


def test_auto_is_text_on_a_terminal_and_json_otherwise() -> None:
    """A person reads text, a collector reads JSON."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    try:
        for stream, is_json in ((Terminal(), False), (io.StringIO(), True)):
            setup_logging("INFO", "auto", stream)
            log_event(log, logging.INFO, "hello")
            assert stream.getvalue().startswith("{") == is_json
        assert len([handler for handler in root.handlers if handler not in before[0]]) == 1
    finally:
        root.handlers[:], root.level = before


def test_levels_and_noisy_libraries() -> None:
    """Below the level nothing is printed; aiosqlite, which prints statements with their values at debug, never is."""
    with logging_to("json", "INFO") as stream:
        log_event(log, logging.DEBUG, "detail")
        log_event(log, logging.INFO, "fact")
    with logging_to("json", "DEBUG") as debug:
        logging.getLogger("aiosqlite").debug("executing %s", "INSERT")
    assert [line["event"] for line in lines(stream)] == ["fact"]
    assert debug.getvalue() == ""


def test_a_broken_stream_stops_nothing() -> None:
    """A log that cannot be written is no reason to end a call."""
    with logging_to("json") as stream:
        stream.close()
        log_event(log, logging.INFO, "fact")
