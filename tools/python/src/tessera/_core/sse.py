"""Server-sent events: bytes in any pieces become messages.

HTML standard, section 9.2.6 (interpreting an event stream).
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """One event of a stream; `id` is the last one told, by this event or an earlier one."""

    type: str
    data: str
    id: str | None


@dataclass
class Parser:
    """Reads a stream; a new one is needed for each connection.

    What follows the last blank line is no message: the line was cut in it.
    """

    retry_ms: int | None = None
    """How long to wait before coming back, if the door has said."""

    _id: str | None = None
    _type: str = ""
    _data: list[str] = field(default_factory=list)
    _rest: str = ""
    _at_start: bool = True
    _after_cr: bool = False
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def feed(self, chunk: bytes) -> list[Message]:
        """Messages that are whole now."""
        text = self._decoder.decode(chunk)
        if self._at_start and text:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        # A line feed after a carriage return that ended the last piece belongs to it.
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        lines = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop()
        messages = (self._line(line) for line in lines)
        return [message for message in messages if message is not None]

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        name, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])
        # Anything else, a comment among them (its name is empty), means nothing.
        return None

    def _dispatch(self) -> Message | None:
        type_, data = self._type or "message", self._data
        self._type, self._data = "", []
        return Message(type_, "\n".join(data), self._id) if data else None
