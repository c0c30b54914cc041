"""Two people and a timer that meet at the same order, again and again. `python -m drills.racing 10000` does it by hand."""

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.firing import fire_due
from engine.health import histories
from engine.outcomes import Arrival
from engine.reporting import apply
from storage import audits, queries
from storage.database import Database
from storage.schema import upgrade
from workflow.case.case import Order, Report
from workflow.errors import OrderError
from workflow.policy.policy import Policy, Rules, calendar_of
from workflow.vocabulary import Verdict

RULES = Rules(1, Policy(), calendar_of(Policy()))
START = datetime(2025, 3, 3, 9, tzinfo=UTC)
PATIENCE_SECONDS = 60


class Race:
    """One order a round: the first writer changes it, and the others are told."""

    def __init__(self, database: Database, rounds: int) -> None:
        self._database, self._rounds = database, rounds
        self.counted: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self._counting = threading.Lock()
        self._start = threading.Barrier(3)

    def run(self) -> None:
        """Let all rounds be run; each of the three does its part of every round."""
        for first in range(0, self._rounds, 1_000):
            with self._database.write() as connection:
                numbers = range(first, min(first + 1_000, self._rounds))
                apply(connection, [self._placed(number) for number in numbers], self._now(0), RULES)
        parts = (self._person("kim", "report_oversized"), self._person("lee", "deliver"), self._timer)
        runners = [threading.Thread(target=self._every_round, args=[part]) for part in parts]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()

    def _every_round(self, part: Callable[[int], str]) -> None:
        try:
            for number in range(self._rounds):
                self._start.wait(PATIENCE_SECONDS)
                came = part(number)
                with self._counting:
                    self.counted[came] += 1
        except BaseException as error:
            self.errors.append(error)
            self._start.abort()

    def _placed(self, number: int) -> Arrival:
        at = START + timedelta(seconds=number)
        return Arrival(Order("race", str(number), at, "CNY", "domestic"), (), (), Report("place", at, "t", "place", "import:t"))

    def _person(self, name: str, trigger: str) -> Callable[[int], str]:
        def report(number: int) -> str:
            later = trigger == "deliver"  # what had arrived before would take the request for the refund back
            at = self._now(number) + timedelta(seconds=later)
            told = Report(trigger, at, name, trigger, f"person:{name}")
            with self._database.write() as connection:
                (outcome,) = apply(connection, [Arrival(self._placed(number).order, (told,))], at, RULES)
            received = outcome.received[0]
            if received.verdict is Verdict.applied:
                return "applied"
            assert isinstance(received.error, OrderError), received
            assert "was not applied" in str(received.error)
            return "told no"

        return report

    def _timer(self, number: int) -> str:
        return "fired" if fire_due(self._database, self._now(number), RULES, limit=1).count else "not due any more"

    @staticmethod
    def _now(number: int) -> datetime:
        return START + timedelta(days=2, seconds=number)

    def check(self) -> None:
        """Check that every step is in a history that holds, and that nothing was lost or done twice."""
        assert not self.errors, self.errors
        while late := fire_due(self._database, self._now(self._rounds), RULES).count:
            self.counted["fired"] += late
        steps = Counter(row["trigger"] for row in histories(self._database, None))
        with self._database.read() as connection:
            assert [*audits.broken_orders(connection)] == []
            verdicts = queries.counts(connection)["reports"]
        assert steps["urge"] == self.counted["fired"]
        assert steps["report_oversized"] + steps["deliver"] == self.counted["applied"]
        assert verdicts == {"applied": self._rounds + self.counted["applied"], "refused": self.counted["told no"]}
        assert self.counted["applied"] + self.counted["told no"] == 2 * self._rounds
        assert self.counted["applied"] == self._rounds, "the goods are too large or have arrived, not both"


def main(rounds: int) -> None:
    """Race on an SQLite file, and on a private server."""
    from drills.postgres import Server

    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        for url in (f"sqlite:///{Path(folder) / 'race.db'}", server.new_database()):
            database = Database(url)
            upgrade(database)
            race = Race(database, rounds)
            race.run()
            race.check()
            print(f"{database.url.get_backend_name()}: {rounds} rounds, {dict(race.counted)}")
            database.close()
    server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
