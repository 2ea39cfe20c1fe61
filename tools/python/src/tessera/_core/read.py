"""Reading the door's JSON: strict in what is promised, deaf to what is new."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from ..errors import UnexpectedAnswer
from ..money import Money
from . import times

T = TypeVar("T")


class Fields:
    """The fields of one object, each read as what the contract says that it is.

    Raises `UnexpectedAnswer` with the field's whole name where it is not.
    """

    def __init__(self, told: object, where: str) -> None:
        if not isinstance(told, dict):
            raise unexpected(where, "an object", told)
        self.raw: Mapping[str, Any] = told
        self._where = where

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.raw.get(name) is not None

    def maybe(self, name: str, read: Callable[[str], T]) -> T | None:
        """A field that may be null or left out: `fields.maybe("team", fields.text)`."""
        return read(name) if self.has(name) else None

    def text(self, name: str) -> str:
        """Text."""
        return self._is(name, str, "text")

    def flag(self, name: str) -> bool:
        """True or false."""
        return self._is(name, bool, "true or false")

    def count(self, name: str) -> int:
        """A whole number."""
        return self._is(name, int, "a whole number")

    def number(self, name: str) -> float:
        """Any number."""
        told = self._told(name)
        if isinstance(told, bool) or not isinstance(told, (int, float)):
            raise unexpected(self._name(name), "a number", told)
        return float(told)

    def word(self, name: str) -> str:
        """Text, or a number as it is written."""
        told = self._told(name)
        if isinstance(told, bool) or not isinstance(told, (str, int, float)):
            raise unexpected(self._name(name), "text or a number", told)
        return told if isinstance(told, str) else json.dumps(told)

    def money(self, name: str) -> Money:
        """`{"tokens": "3.200000", "micro": 3200000}`, whose two halves must agree, or the text
        alone."""
        told = self._told(name)
        if isinstance(told, str):
            try:
                return Money.of(told)
            except ValueError as error:
                raise unexpected(self._name(name), "an amount of tokens", told) from error
        inner = self.inner(name)
        micro, tokens = inner.count("micro"), inner.text("tokens")
        try:
            money = Money(micro)
            agree = Money.of(tokens) == money
        except ValueError as error:
            raise unexpected(self._name(name), "an amount of tokens", inner.raw) from error
        if not agree:
            raise unexpected(self._name(name), "twice the same amount", inner.raw)
        return money

    def time(self, name: str) -> datetime:
        """A time of RFC 3339."""
        told = self.text(name)
        try:
            return times.parse(told)
        except ValueError as error:
            raise unexpected(self._name(name), "a time", told) from error

    def size(self, name: str) -> tuple[int, int]:
        """Width and height."""
        told = self._told(name)
        match told:
            case [int(width), int(height)]:
                return width, height
        raise unexpected(self._name(name), "a width and a height", told)

    def inner(self, name: str) -> Fields:
        """The fields of an object inside."""
        return Fields(self._told(name), self._name(name))

    def inners(self, name: str) -> list[Fields]:
        """The fields of each object of a list."""
        told = self._list(name)
        return [Fields(item, f"{self._name(name)}[{at}]") for at, item in enumerate(told)]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        told = self._list(name)
        if not all(isinstance(item, str) for item in told):
            raise unexpected(self._name(name), "a list of texts", told)
        return tuple(told)

    def texts_or_none(self, name: str) -> tuple[str | None, ...]:
        """A list of texts, some of which may be null."""
        told = self._list(name)
        if not all(item is None or isinstance(item, str) for item in told):
            raise unexpected(self._name(name), "a list of texts", told)
        return tuple(told)

    def _list(self, name: str) -> list[Any]:
        return self._is(name, list, "a list")

    def _is(self, name: str, kind: type[T], what: str) -> T:
        told = self._told(name)
        # In Python true is a whole number.
        if not isinstance(told, kind) or (isinstance(told, bool) and kind is not bool):
            raise unexpected(self._name(name), what, told)
        return told

    def _told(self, name: str) -> Any:
        if name not in self.raw:
            raise UnexpectedAnswer(f"the door's answer lacks `{self._name(name)}`")
        return self.raw[name]

    def _name(self, name: str) -> str:
        return f"{self._where}.{name}"


def items(told: object, where: str) -> tuple[list[Any], str | None]:
    """The items of a list and where the next page begins; a bare list is one page."""
    if isinstance(told, list):
        return told, None
    fields = Fields(told, where)
    listed = fields.raw.get("items")
    if not isinstance(listed, list):
        raise unexpected(f"{where}.items", "a list", listed)
    return listed, fields.maybe("next_cursor", fields.text)


def unexpected(name: str, what: str, told: object) -> UnexpectedAnswer:
    """The error of a field that is something else than was promised."""
    shown = repr(told)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}…"
    return UnexpectedAnswer(f"`{name}` in the door's answer is {shown} and not {what}")
