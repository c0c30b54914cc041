"""The language of the screens: the program's own texts in English or Chinese, by gettext.

The commands choose it once, before anything is printed. Letters have languages of their own, logs and everything that a
script reads (JSON, states, triggers, flags) are English.
"""

import gettext
from pathlib import Path

LANGUAGES = ("en", "zh")
"""What `language` of the settings may be."""
DOMAIN = "messages"
"""The domain of the catalogs, which click's own texts are looked up in too."""
CATALOGS = Path(__file__).parent

_catalog: gettext.NullTranslations = gettext.NullTranslations()


def use(language: str) -> None:
    """Let this process speak a language from now on.

    Raises:
        FileNotFoundError: its catalog was not compiled (`make setup`).

    """
    global _catalog
    if language == "en":
        _catalog = gettext.NullTranslations()
        return
    _catalog = gettext.translation(DOMAIN, CATALOGS, [language])
    gettext.bindtextdomain(DOMAIN, str(CATALOGS))


def tr(text: str, **values: object) -> str:
    """Return a text in the language of the screens, with its values filled in.

    >>> tr("there is no order {identity}", identity="main/7")
    'there is no order main/7'
    """
    if not text:
        return text  # gettext answers it with the catalog's own description
    said = _catalog.gettext(text)
    return said.format(**values) if values else said


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Write a count with its noun in the language of the screens.

    >>> counted(1, "timer"), counted(2, "timer"), counted(0, "history", "histories")
    ('1 timer', '2 timers', '0 histories')
    """
    one, many = f"{{count}} {thing}", f"{{count}} {things or f'{thing}s'}"
    return _catalog.ngettext(one, many, count).format(count=count)
