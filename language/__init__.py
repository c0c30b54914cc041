"""The language of the screens: the program's own texts in English or Chinese, by gettext.

The commands choose it once, before anything is printed. Letters have languages of their own; logs and everything that a
script reads (JSON, states, triggers, flags) are English.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")
"""What `language` of the settings may be."""
DOMAIN = "messages"
"""The domain of the catalogs, which click's own texts are looked up in too."""
CATALOGS = Path(__file__).parent

_catalog: gettext.NullTranslations = gettext.NullTranslations()
_spoken: ContextVar[gettext.NullTranslations | None] = ContextVar("spoken", default=None)
"""The catalog of what is written for a reader of another language, in this thread alone."""


def use(language: str) -> None:
    """Let this process speak a language from now on.

    Raises:
        FileNotFoundError: its catalog was not compiled (`make setup`).

    """
    global _catalog
    _catalog = _catalog_of(language)
    if language != "en":
        gettext.bindtextdomain(DOMAIN, str(CATALOGS))


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Speak a language while something is written for a reader of it; other threads go on in theirs.

    Raises:
        FileNotFoundError: its catalog was not compiled (`make setup`).

    """
    before = _spoken.set(_catalog_of(language))
    try:
        yield
    finally:
        _spoken.reset(before)


@cache
def _catalog_of(language: str) -> gettext.NullTranslations:
    return gettext.NullTranslations() if language == "en" else gettext.translation(DOMAIN, CATALOGS, [language])


def tr(text: str, **values: object) -> str:
    """Return a text in the language of the screens, with its values filled in.

    >>> tr("there is no order {identity}", identity="main/7")
    'there is no order main/7'
    """
    if not text:
        return text  # gettext answers it with the catalog's own description
    said = (_spoken.get() or _catalog).gettext(text)
    return said.format(**values) if values else said


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Write a count with its noun in the language of the screens.

    >>> counted(1, "timer"), counted(2, "timer"), counted(0, "history", "histories")
    ('1 timer', '2 timers', '0 histories')
    """
    one, many = f"{{count}} {thing}", f"{{count}} {things or f'{thing}s'}"
    return (_spoken.get() or _catalog).ngettext(one, many, count).format(count=count)
