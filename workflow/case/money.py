"""Amounts of money: integer minor units with an ISO 4217 currency."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache

from iso4217 import Currency

from language import tr

_PLAIN = re.compile(r"\d{1,15}(\.\d{1,30})?", re.ASCII)


LARGEST = 2**63 - 1
"""In minor units; what the databases can hold."""


class MoneyError(ValueError):
    """A text is not an amount, or a code is not a currency."""


class TooManyDecimals(MoneyError):
    """A text is an amount with more decimals than its currency has."""


@cache
def exponent(currency: str) -> int:
    """Return how many decimals `currency` has: 0 for JPY, 2 for CNY, 3 for KWD.

    Raises:
        MoneyError: the code is not in ISO 4217 or has no minor unit.

    """
    try:
        digits = Currency(currency).exponent
    except ValueError:
        raise MoneyError(tr("{currency!r} is not an ISO 4217 currency code", currency=currency)) from None
    if digits is None:
        raise MoneyError(tr("{currency} is not a currency that goods are paid in", currency=currency))
    return int(digits)


def minor_units(text: str, currency: str) -> int:
    """Read `text` ("12.50") as minor units of `currency` (1250).

    Raises:
        MoneyError: not a plain non-negative number, or more decimals than the currency has.

    >>> minor_units("12.5", "CNY"), minor_units("700", "JPY")
    (1250, 700)

    """
    if not _PLAIN.fullmatch(text):
        raise MoneyError(tr("{given!r} is not an amount: write digits with a point, such as 12.50", given=text[:40]))
    digits, _, decimals = text.partition(".")
    places, decimals = exponent(currency), decimals.rstrip("0")
    if len(decimals) > places:
        raise TooManyDecimals(
            tr(
                "{given} has more decimals than {currency} ({currency_2})",
                given=text[:40],
                currency=currency,
                currency_2=exponent(currency),
            )
        )
    minor = int(digits + decimals.ljust(places, "0"))
    if minor > LARGEST:
        raise MoneyError(tr("{given} {currency} is more than can be kept", given=text[:40], currency=currency))
    return minor


def nearest_units(text: str, currency: str) -> tuple[int, bool]:
    """Read `text` as minor units, a share of one rounded half-even, and say whether there was one (rule 4.9).

    Raises:
        MoneyError: not a plain non-negative number.

    >>> nearest_units("12.345", "CNY"), nearest_units("12.355", "CNY"), nearest_units("12.3500", "CNY")
    ((1234, True), (1236, True), (1235, False))

    """
    try:
        return minor_units(text, currency), False
    except TooManyDecimals:
        with localcontext(prec=60):
            exact = Decimal(text).scaleb(exponent(currency))
            return int(exact.to_integral_value(ROUND_HALF_EVEN)), True


def show_amount(minor: int, currency: str) -> str:
    """Return minor units as a person writes them: "12.50 CNY"."""
    return f"{Decimal(minor).scaleb(-exponent(currency)):f} {currency}"
