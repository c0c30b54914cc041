"""The contenders in turn, round by round, each on a fresh copy of the same orders."""

import statistics
from collections import defaultdict
from typing import Any

from bench.sites import Site, elsewhere, sites

ORDERS = {"limit": 30_000, "aftersales": 30_000, "apscheduler": 400, "procrastinate": 600, "dbos": 300}
"""A contender that is a hundred times slower gets fewer orders, so that all of them work for about a second."""
ONLY_POSTGRESQL = ("procrastinate", "dbos")


def run(rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Return the median rate of each contender on each database, and its ratio to the limit of the same rounds."""
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    with sites() as both:
        for _ in range(rounds):
            for site in both:
                for name in ORDERS:
                    if site.database == "postgresql" or name not in ONLY_POSTGRESQL:
                        rates[site.database, name].append(_once(site, name, 2 if quick else 3))
    return [_row(rates, *key) for key in rates]


def _once(site: Site, name: str, times: int) -> float:
    count = ORDERS[name] * (times if name in ("limit", "aftersales") else 1)
    url = site.full(count)
    seconds = float(elsewhere("bench.contender", name, url, str(count))["seconds"])
    site.drop(url)
    return count / seconds


def _row(rates: dict[tuple[str, str], list[float]], database: str, name: str) -> dict[str, Any]:
    """Ratios are taken round by round: what slows a machine down slows all contenders of that round."""
    mine, limit, ours = rates[database, name], rates[database, "limit"], rates[database, "aftersales"]
    return {
        "database": database,
        "contender": name,
        "firings_per_second": round(statistics.median(mine), 1),
        "ratio_to_limit": round(statistics.median(one / best for one, best in zip(mine, limit, strict=True)), 4),
        "aftersales_is_times_faster": round(statistics.median(our / one for one, our in zip(mine, ours, strict=True)), 2),
        "lowest": round(min(mine), 1),
        "highest": round(max(mine), 1),
        "rounds": len(mine),
    }
