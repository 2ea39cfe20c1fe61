from __future__ import annotations

from tessera._core.sse import Message, Parser

STREAM = (
    "\ufeff: hello\n\n"
    "retry: 250\r\n\r\n"
    "id: 7\revent: job.done\rdata: {\r\ndata:  ü}\n\n"
    "data\n\n"
    "id\ndata:x\n\n"
    "event: lost\n\n"
    "nonsense: 1\nid: a\0b\ndata: y\n\n"
    "data: cut"
).encode()
MESSAGES = [
    Message("job.done", "{\n ü}", "7"),
    Message("message", "", "7"),
    Message("message", "x", ""),
    Message("message", "y", ""),
]


def test_any_pieces_are_the_same_stream() -> None:
    for size in range(1, len(STREAM) + 1):
        parser, found = Parser(), list[Message]()
        for begin in range(0, len(STREAM), size):
            found += parser.feed(STREAM[begin : begin + size])
        assert (found, parser.retry_ms) == (MESSAGES, 250), size


def test_an_event_is_told_with_its_blank_line_and_not_later() -> None:
    parser = Parser()
    assert parser.feed(b"data: 1\r") == []
    assert parser.feed(b"\r") == [Message("message", "1", None)]
    assert parser.feed(b"\ndata: 2\n\n") == [Message("message", "2", None)]


def test_bytes_that_are_no_text_are_borne() -> None:
    assert Parser().feed(b"data: \xff\n\n") == [Message("message", "\ufffd", None)]


def test_odd_times_to_come_back_are_passed_over() -> None:
    parser = Parser()
    parser.feed(b"retry: soon\nretry: -1\nretry:\n\n")
    assert parser.retry_ms is None
