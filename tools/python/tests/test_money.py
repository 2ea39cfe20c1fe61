from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tessera import Money


def test_amounts_are_exact() -> None:
    def check(amount: Any, micro: int, shown: str) -> None:
        money = Money.of(amount)
        assert (money.micro, str(money)) == (micro, shown)
        assert Money.of(str(money)) == money
        assert money.tokens == Decimal(shown)

    check("5.00", 5_000_000, "5.000000")
    check("0.000001", 1, "0.000001")
    check("-3.2", -3_200_000, "-3.200000")
    check("-0.5", -500_000, "-0.500000")
    check(7, 7_000_000, "7.000000")
    check(Decimal("1e2"), 100_000_000, "100.000000")
    check(Money(12), 12, "0.000012")
    # What 28 digits, as decimal has without more ado, would round.
    check(str(2**127 // 10**6) + ".141592", 2**127 // 10**6 * 10**6 + 141_592,
          str(2**127 // 10**6) + ".141592")  # fmt: skip


def test_what_is_no_money_is_refused() -> None:
    def check(amount: Any, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            Money.of(amount)

    check(0.1, TypeError, "write '0.1' as text")
    check(True, TypeError, "not True")
    check(None, TypeError, "not None")
    check("", ValueError, "no decimal number")
    check("five", ValueError, "no decimal number")
    check("0.0000001", ValueError, "six decimals")
    check("NaN", ValueError, "cannot be counted")
    check("Infinity", ValueError, "cannot be counted")
    check("1e40", ValueError, "cannot be counted")
    with pytest.raises(TypeError):
        Money(1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than the ledger"):
        Money(2**128)


def test_amounts_add_up_and_compare() -> None:
    five, two = Money.of(5), Money.of(2)
    assert (five + two, five - two, two - five) == (Money.of(7), Money.of(3), Money.of(-3))
    assert (-two, two * 3, 3 * two) == (Money.of(-2), Money.of(6), Money.of(6))
    assert two < five and max(two, five) == five and bool(two) and not Money(0)
    assert sum([two, five], Money(0)) == Money.of(7)
    assert f"{five:.2f}" == "5.00" and f"{five}" == "5.000000"
    assert repr(five) == "Money.of('5.000000')" and eval(repr(five)) == five
    for odd in (1, 0.5, "2"):
        with pytest.raises(TypeError):
            five + odd  # type: ignore[operator]
