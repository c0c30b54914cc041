"""Foreign text made harmless for a terminal."""


def safe(text: str) -> str:
    """Replace what does not print: control characters, escapes, and marks that turn the direction of writing."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def counted(count: int, thing: str) -> str:
    """Write how many there are of a thing: "1 timer", "2 timers"."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
