"""Compile the catalogs of the screens' texts when the project is installed or built: `python hatch_build.py` does it alone."""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent


class CatalogsHook(BuildHookInterface[Any]):
    """Compiles each .po of `language` beside itself; the wheel has the compiled ones."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected."""
        compile_catalogs(Path(self.root))


def compile_catalogs(root: Path) -> None:
    """Compile the catalogs below a folder.

    Raises:
        PoFileError: one of them is not well formed; the message names its line.

    """
    for source in sorted((root / "language").glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as file:
            catalog = read_po(file, abort_invalid=True)
        with source.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalog)


if __name__ == "__main__":
    compile_catalogs(ROOT)
