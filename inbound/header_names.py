"""What the names of a foreign file's columns mean, in six languages (header_names.toml)."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from workflow.case.money import MoneyError, exponent

_NOT_YET = re.compile(
    r"estimat|expect|predict|promis|scheduled|预计|预估|estimad|previst|voraussicht|erwartet|geschatzt|prevue|prevu"
)
"""What stands in the name of a date that has not come."""
_SMALL_WORDS = frozenset(
    ("a", "au", "da", "das", "de", "del", "des", "do", "dos", "du", "el", "l", "la", "las", "le", "los", "of", "d")
)
_NUMBER = frozenset(["n", "no", "nr", "nro", "num", "numero", "number", "nummer", "ref"])
_SAID_IN_FULL = ("order.id", "order.placed_at", "order.paid", "order.sale", "ship.at", "deliver.at", "cancel.at")
"""Facts whose one-word names (number, date, total) end the names of many other things too."""


def plain(name: str) -> str:
    """Return the name of a column in small letters, without accents and marks, a path as words.

    >>> plain("Nº de Pedido"), plain("shipping_address.countryCode"), plain("收货地址 ")
    ('no de pedido', 'shipping address country code', '收货地址')
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    letters = unicodedata.normalize("NFKD", apart.replace("ß", "ss"))
    bare = "".join(one for one in letters if not unicodedata.combining(one)).casefold()
    return " ".join(re.findall(r"[^\W_]+", bare))


def gist(name: str) -> str:
    """Return the words of a name that say something, whatever stands for `number` before the others.

    >>> gist("N.º de pedido"), gist("Pedido nº"), gist("Order Number"), gist("Date d'achat")
    ('number pedido', 'number pedido', 'number order', 'date achat')
    """
    words = [word for word in plain(name).split() if word not in _SMALL_WORDS]
    names_a_number = any(word in _NUMBER for word in words)
    others = [word for word in words if word not in _NUMBER and not (word == "o" and names_a_number)]
    return " ".join(["number", *others] if names_a_number else others)


@cache
def known() -> Mapping[str, Mapping[str, int]]:
    """Return how good each name is for each fact: the first of its list is the best."""
    table = tomllib.loads((Path(__file__).parent / "header_names.toml").read_text("utf-8"))
    return {
        fact: {name: 1_000 - at for at, name in reversed([*enumerate(map(gist, names.split(";")))])}
        for fact, names in table.items()
    }


def _without_currency(name: str) -> str:
    """Return the name of a column without the currency that is said at its end: `price (EUR)` is a price."""
    rest, _, last = name.rpartition(" ")
    try:
        exponent("CNY" if last in ("元", "人民币", "rmb") else last.upper())
    except MoneyError:
        return name
    return rest or name


def likeness(fact: str, column: str) -> int:
    """Say how well the name of a column fits a fact; 0: not at all."""
    if fact.endswith(".at") and _NOT_YET.search(plain(column)):
        return 0
    name, names = _without_currency(gist(column)), known()[fact]
    if name in names:
        return 10_000 + names[name]
    words = name.split()
    for start in range(1, len(words)):  # `items.sku` is an SKU, if nothing is nearer; `phone number` is no order's
        if (rest := " ".join(words[start:])) in names and (len(words) - start > 1 or fact not in _SAID_IN_FULL):
            return 5_000 + names[rest] - start
    return 0
