"""Countries as files and people write them, known by their ISO 3166 codes."""

from functools import cache, lru_cache
from typing import Any, cast

_LANGUAGES = ("en", "zh", "es", "pt", "de", "fr")
"""Languages whose names of countries are understood."""
_ALSO = {"usa": "US", "u.s.": "US", "u.s.a.": "US", "america": "US", "uk": "GB", "great britain": "GB", "england": "GB"}
EVERYWHERE = frozenset(
    (
        *("worldwide", "world", "global", "international", "all", "all countries", "everywhere", "全球", "全世界", "所有国家"),
        *(
            "mundial",
            "todo el mundo",
            "todos los países",
            "todo o mundo",
            "todos os países",
            "weltweit",
            "monde",
            "monde entier",
        ),
    )
)
"""Words for all countries, in small letters."""


@lru_cache(maxsize=1_000)
def country_code(name: str) -> str | None:
    """Return the code of a country by its code or its name; None where it is not known.

    >>> country_code("br"), country_code("United States"), country_code("法国"), country_code("Atlantis")
    ('BR', 'US', 'FR', None)
    """
    known = _names()
    plain = name.strip().casefold()
    return plain.upper() if plain.upper() in _codes() else known.get(plain)


@cache
def _territories(language: str) -> dict[str, str]:
    from babel import Locale  # it takes a tenth of a second, and only files of offers and names of countries need it

    found = cast(Any, Locale(language).territories)
    return {
        code: name
        for code, name in found.items()
        if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "QO", "ZZ")
    }


@cache
def _codes() -> frozenset[str]:
    return frozenset(_territories("en"))


@cache
def _names() -> dict[str, str]:
    named = {name.casefold(): code for language in _LANGUAGES for code, name in _territories(language).items()}
    return {**named, **_ALSO}
