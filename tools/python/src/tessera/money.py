"""Tokens, exact to the millionth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext

__all__ = ["Money"]

_MICRO = 1_000_000
# The ledger counts micro-tokens in 128 bits.
_MICRO_MAX = 2**128 - 1


@dataclass(frozen=True, order=True, slots=True)
class Money:
    """An amount of tokens, counted in millionths.

    `Money.of("5.00")` makes one of text, a whole number or a `Decimal`.
    A float is refused: 0.1 is not a tenth in binary, and money is exact.
    """

    micro: int

    def __post_init__(self) -> None:
        if not isinstance(self.micro, int) or isinstance(self.micro, bool):
            raise TypeError(f"micro-tokens are a whole number, not {self.micro!r}")
        if abs(self.micro) > _MICRO_MAX:
            raise ValueError(f"{self.micro} micro-tokens are more than the ledger can count")

    @classmethod
    def of(cls, amount: Money | Decimal | int | str) -> Money:
        """The amount that is meant.

        Raises `TypeError` for a float, and `ValueError` for text that is no decimal number or
        has more than six decimals.
        """
        if isinstance(amount, Money):
            return amount
        if isinstance(amount, float):
            raise TypeError(f"money is exact and a float is not: write {str(amount)!r} as text")
        if isinstance(amount, bool) or not isinstance(amount, (Decimal, int, str)):
            raise TypeError(f"money is text, a whole number or a Decimal, not {amount!r}")
        try:
            decimal = Decimal(amount)
        except InvalidOperation as error:
            raise ValueError(f"{amount!r} is no decimal number of tokens") from error
        if not decimal.is_finite() or abs(decimal) > _MICRO_MAX // _MICRO:
            raise ValueError(f"{amount!r} tokens cannot be counted")
        # 2**128 has 39 digits, so these hold every amount within the bounds.
        with localcontext() as context:
            context.prec = 60
            micro = decimal * _MICRO
            if micro != micro.to_integral_value():
                raise ValueError(f"{amount!r} has more than six decimals, which tokens do not have")
            return cls(int(micro))

    @property
    def tokens(self) -> Decimal:
        """The same as a decimal number of tokens."""
        with localcontext() as context:
            context.prec = 60
            return Decimal(self.micro).scaleb(-6)

    def __str__(self) -> str:
        whole, rest = divmod(abs(self.micro), _MICRO)
        return f"{'-' if self.micro < 0 else ''}{whole}.{rest:06}"

    def __repr__(self) -> str:
        return f"Money.of('{self}')"

    def __format__(self, spec: str) -> str:
        return format(self.tokens, spec) if spec else str(self)

    def __bool__(self) -> bool:
        return self.micro != 0

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.micro + other.micro)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.micro - other.micro)

    def __neg__(self) -> Money:
        return Money(-self.micro)

    def __mul__(self, count: int) -> Money:
        if not isinstance(count, int):
            return NotImplemented
        return Money(self.micro * count)

    __rmul__ = __mul__
