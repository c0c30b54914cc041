"""Names as arguments of a command that a person copies into a shell."""

import shlex


def argument(name: str) -> str:
    """Return a name as one argument, in quotes where a shell would split or change it."""
    return shlex.quote(name)
