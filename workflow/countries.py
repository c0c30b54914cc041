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


def country_name(country: str, language: str) -> str:
    """Return the name of a country in one of the languages that are known; what is not known stays as it is written.

    >>> country_name("BR", "en"), country_name("France", "zh"), country_name("Atlantis", "en")
    ('Brazil', '法国', 'Atlantis')
    """
    return _territories(language).get(country_code(country) or "", country)


@cache
def language_of(country: str) -> str | None:
    """Return the code of the language that most people of a country speak, as Unicode's CLDR has it; None if it is not known.

    >>> language_of("BR"), language_of("Mexico"), language_of("Atlantis")
    ('pt', 'es', None)
    """
    from babel.core import get_global

    likely = get_global("likely_subtags").get(f"und_{country_code(country)}")
    return None if likely is None else str(likely).partition("_")[0]


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
