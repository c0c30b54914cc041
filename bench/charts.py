"""Pictures of the figures, for the README."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
COLOURS = {"sqlite": "#0f6e84", "postgresql": "#b4532a"}
GREY = "#8a8f98"


def draw(results: dict[str, Any], folder: Path) -> None:
    """Draw what there are figures for."""
    mpl.use("agg")
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 110})
    folder.mkdir(parents=True, exist_ok=True)
    _race(results["race"], folder / "firings.png")
    if "sizes" in results:
        _sizes(results["sizes"], folder / "sizes.png")


def _race(rows: list[dict[str, Any]], file: Path) -> None:
    """Draw each contender as a share of what hand-written SQL reaches on the same database in the same rounds."""
    picture, panels = plt.subplots(1, 2, figsize=(9, 2.8), width_ratios=(3, 5))
    for panel, database in zip(panels, NAMES, strict=True):
        mine = [row for row in rows if row["database"] == database]
        names = [row["contender"] for row in mine][::-1]
        shares = [row["ratio_to_limit"] for row in mine][::-1]
        colours = [COLOURS[database] if name == "aftersales" else GREY for name in names]
        panel.barh(names, shares, color=colours, height=0.6)
        panel.set_xlim(0, 1.25)
        panel.set_title(NAMES[database], loc="left")
        panel.set_xlabel("firings a second, as a share of hand-written SQL")
        for at, share in enumerate(shares):
            panel.text(share + 0.02, at, f"{share:.2f}" if share >= 0.1 else f"{share:.4f}", va="center")
    _save(picture, file)


def _sizes(rows: list[dict[str, Any]], file: Path) -> None:
    """Draw what a firing costs as the number of orders grows."""
    picture, panel = plt.subplots(figsize=(6.5, 3))
    for database, name in NAMES.items():
        mine = sorted(
            (row["orders"], row["microseconds"])
            for row in rows
            if row["database"] == database and row["instants"] == "in order"
        )
        panel.plot(*zip(*mine, strict=True), marker="o", color=COLOURS[database], label=f"{name}, due in order of creation")
        for row in rows:
            if row["database"] == database and row["instants"] == "scattered":
                panel.plot(row["orders"], row["microseconds"], "x", color=COLOURS[database], label=f"{name}, scattered")
    panel.set_xscale("log")
    panel.set_ylim(bottom=0)
    panel.set_xlabel("orders in the database")
    panel.set_ylabel("microseconds a firing")
    panel.legend(frameon=False, fontsize=8)
    _save(picture, file)


def _save(picture: Any, file: Path) -> None:
    picture.tight_layout()
    picture.savefig(file)
    plt.close(picture)
