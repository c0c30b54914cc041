"""Foreign text made harmless for a terminal."""


def safe(text: str) -> str:
    """Replace what does not print: control characters, escapes, and marks that turn the direction of writing."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)
