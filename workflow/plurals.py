"""Counts in words."""


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Write a count with its noun.

    >>> counted(1, "timer"), counted(2, "timer"), counted(0, "history", "histories")
    ('1 timer', '2 timers', '0 histories')
    """
    return f"{count} {thing if count == 1 else things or f'{thing}s'}"
