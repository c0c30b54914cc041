"""Draws what happens in a shop from a seed: what people and carriers may report as it stands, and sometimes what they may not.

Triggers and their fields come from the process; a new one is drawn without a line written for it here.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import text

from drills.simulation.faults import KINDS, Fault
from drills.simulation.moves import (
    Adopt,
    Answer,
    Bought,
    Decide,
    Erase,
    Fields,
    File,
    Fire,
    Happens,
    Move,
    Pass,
    Place,
    Repeat,
    Report,
    Send,
    Tell,
    Tidy,
    Undo,
    What,
    rounded,
)
from drills.simulation.sink import OUTCOMES
from drills.simulation.world import PROCESSES, World
from engine.deciding import EffectAction
from storage import cases
from workflow.case.case import Case, Detail
from workflow.reports import FIELDS, Field
from workflow.table import allowed_now
from workflow.timer_commands import ACTIONS
from workflow.vocabulary import Way

MOVES_A_DAY = 3.0
MOST_ORDERS = 24
SUPPLIERS = ("Yiwu", "Ningbo", "Foshan", "Yiwu Trading")
BUYERS = ("Lee Kim", "Ada Lovelace", "Wei Zhang", "Kim Lee")
ACTORS = ("person:kim", "person:lee", "api:shop", "carrier:post", "import:late.csv")
DRAWN: Mapping[str, tuple[Detail, ...]] = {
    "count": (1, 1, 2, 3, 9),
    "pieces": ("1:1", "SKU:1", "1:2", "2:1", "1:9"),
    "flag": (True, False),
    "currency": ("CNY", "USD", "JPY"),
    "email": ("kim@example.com", "lee@example.com"),
    "names": ("Ningbo", "Foshan;Ningbo", "Yiwu Trading"),
}
"""What the fields of these kinds are drawn from."""
WORDS = ("as agreed", "ab" * 32, "photo-1 photo-2", "名字")
PARCELS = ("P1", "P2", "P3")
REPORTED = tuple(trigger for trigger in FIELDS if trigger != "place")
Chosen = TypeVar("Chosen")
Draw = Callable[[], What]


class Author:
    """Draws one story; what it draws depends on the seed and on how the shop stands."""

    def __init__(self, seed: int, days: float, world: World) -> None:
        self._dice = random.Random(f"story {seed}")
        self._world, self._hours = world, days * 24
        self._placed = 0
        self._told: Counter[str] = Counter()
        self._last = ""
        """The order whose story goes on."""
        self._moved: list[Move] = []
        self._draw: dict[Draw, int] = {
            self._pass: 32,
            self._tell: 40,
            self._place: 8,
            self._repeat: 5,
            self._send: 5,
            self._fire: 4,
            self._decide: 6,
            self._answer: 8,
            self._undo: 6,
            self._move: 6,
            self._file: 1,
            self._adopt: 1,
            self._erase: 1,
            self._tidy: 2,
        }

    def story(self) -> Iterator[Happens]:
        """Yield what happens, move by move, each drawn when the one before has happened."""
        passed = 0.0
        while passed < self._hours:
            goes_on = self._last != "" and self._dice.random() < 0.4
            hours = self._dice.uniform(0, 2) if goes_on else self._dice.expovariate(MOVES_A_DAY / 24)
            passed += hours
            yield rounded(self._happens(hours, self._tell if goes_on else None))
            self._last = self._last if self._dice.random() < 0.8 else ""

    def _happens(self, hours: float, draw: Draw | None) -> Happens:
        what, process = draw() if draw else self._what(self._draw), self._dice.randrange(PROCESSES)
        chance = 0.5 if isinstance(what, Move | Erase) else 0.2
        fault = Fault(self._one_of(KINDS), self._statement()) if self._dice.random() < chance else None
        meanwhile = None
        if self._dice.random() < 0.12 and not isinstance(what, Erase):
            others: dict[Draw, int] = {self._tell: 4, self._decide: 2, self._undo: 1}
            others |= dict.fromkeys((self._move, self._fire, self._send), 1)
            other = Happens(0.0, self._what(others), (process + self._dice.randint(1, PROCESSES - 1)) % PROCESSES)
            meanwhile = self._dice.randint(1, 4), other
        return Happens(hours, what, process, fault, meanwhile)

    def _statement(self) -> int:
        return self._dice.randint(1, 12) if self._dice.random() < 0.5 else self._dice.randint(1, 80)

    def _what(self, weights: dict[Draw, int]) -> What:
        (draw,) = self._dice.choices([*weights], [*weights.values()])
        return draw()

    def _one_of(self, some: Sequence[Chosen]) -> Chosen:
        return self._dice.choice(some)

    def _maybe(self, value: Chosen, chance: float = 0.5) -> Chosen | None:
        return value if self._dice.random() < chance else None

    # --- what may happen ---

    def _bought(self) -> tuple[Bought, ...]:
        count = min(self._dice.randint(1, 3), MOST_ORDERS - self._placed)
        return tuple(self._order() for _ in range(count))

    def _order(self) -> Bought:
        self._placed += 1
        alternatives = tuple(self._dice.sample(SUPPLIERS, self._dice.randrange(3)))
        return Bought(
            str(self._placed),
            self._maybe(self._one_of(SUPPLIERS), 0.9),
            alternatives,
            self._one_of(("domestic", "international")),
            self._maybe(self._dice.randint(1, 9) * 300, 0.8),
            self._maybe(self._one_of(self._buyers())),
            self._dice.randint(1, 3),
        )

    def _place(self) -> What:
        orders = self._bought()
        if not orders:
            return self._tell()
        reports = tuple(self.report(one.number, None) for one in orders if self._dice.random() < 0.3)
        return Place(orders, reports, observed=self._dice.random() < 0.1)

    def _file(self) -> What:
        orders = self._bought()
        return File(orders, self._dice.randint(60, 60 + 90 * len(orders))) if orders else self._tell()

    def _tell(self) -> What:
        numbers = self._numbers()
        if not numbers:
            return self._place() if self._placed < MOST_ORDERS else Fire()
        if self._last not in numbers or self._dice.random() < 0.1:
            self._last = self._one_of(numbers)  # otherwise the story of one order goes on
        return Tell(self.report(self._last, self._case(self._last)), self._one_of(ACTORS))

    def report(self, number: str, case: Case | None) -> Report:
        """Draw a report of an order; without a case nothing is known of where it stands."""
        allowed = [trigger for trigger in allowed_now(case) if trigger in REPORTED] if case else []
        trigger = self._seldom_told(allowed if allowed and self._dice.random() < 0.8 else REPORTED)
        ago = self._dice.choices((0.0, self._dice.uniform(0, 72), -self._dice.uniform(0, 48)), (5, 4, 1))[0]
        return Report(number, trigger, self._fields(trigger, case), float(f"{ago:.4g}"))

    def _seldom_told(self, triggers: Sequence[str]) -> str:
        """Return a trigger, most likely one that was told seldom: so every corner of the process is come to."""
        (trigger,) = self._dice.choices(triggers, [1 / (1 + self._told[one]) for one in triggers])
        self._told[trigger] += 1
        return trigger

    def _fields(self, trigger: str, case: Case | None) -> Fields:
        known = FIELDS[trigger].items()
        return {name: self._field(name, one, case) for name, one in known if one.required or self._dice.random() < 0.35}

    def _field(self, name: str, known: Field, case: Case | None) -> Detail:
        if name == "tracking_number":
            return self._one_of(PARCELS)
        paid = (case.order.paid if case else None) or 900
        match known.kind:
            case "instant":
                return (self._world.now + timedelta(days=self._dice.randint(-3, 9))).isoformat()
            case "amount":
                return self._one_of((paid, paid // 2, 1, paid + 1))
            case "choice":
                return self._one_of(known.words)
            case kind if kind in DRAWN:
                return self._one_of(DRAWN[kind])
            case "number":
                return self._one_of((f"r{self._dice.randint(1, 9)}", *self._numbers()))
            case _:
                buyer = case.order.buyer_name if case else None
                return self._one_of((*WORDS, f"{buyer} called") if buyer else WORDS)

    def _repeat(self) -> What:
        return Repeat(self._dice.randrange(1_000))

    def _pass(self) -> What:
        off = self._dice.choices((0.0, -3_600.0, 60.0, 3e9), (90, 4, 4, 2))[0]
        return Pass(off, self._answers())

    def _send(self) -> What:
        return Send(self._answers())

    def _answers(self) -> tuple[str, ...]:
        return tuple(self._one_of(OUTCOMES) for _ in range(self._dice.choice((0, 0, 0, 1, 2, 4))))

    def _fire(self) -> What:
        return Fire(self._one_of((1, 2, 1_000)), self._dice.random() < 0.7)

    def _decide(self) -> What:
        count = self._dice.randint(1, 5)
        return Decide(self._one_of([*map(str, EffectAction)]), tuple(self._dice.randrange(20) for _ in range(count)))

    def _answer(self) -> What:
        number = self._last if self._last in self._numbers() else self._one_of(self._numbers() or ("1",))
        return Answer(number, self._one_of([*map(str, Way)]), float(self._dice.choice((0, 24, 100))))

    def _undo(self) -> What:
        return Undo(self._last if self._last in self._numbers() else self._one_of(self._numbers() or ("1",)))

    def _move(self) -> What:
        """Move timers; one command in three is repeated as it was, as after a mishap."""
        if self._moved and self._dice.random() < 0.33:
            return self._one_of(self._moved)
        self._moved.append(self._new_move())
        return self._moved[-1]

    def _new_move(self) -> Move:
        action = self._one_of(ACTIONS)
        hours = float(self._dice.randint(-48, 240))
        name = self._maybe(f"move {len(self._moved)}", 0.5)
        number = self._maybe(self._one_of(self._numbers() or ("1",)), 0.6)
        return Move(action, hours, number, None if number else self._maybe(self._one_of(SUPPLIERS)), name)

    def _adopt(self) -> What:
        return Adopt(self._dice.randrange(3))

    def _erase(self) -> What:
        return Erase(self._one_of(BUYERS[1:]))

    def _buyers(self) -> Sequence[str]:
        """Return the buyers that may be named: who was erased is not spoken of again, but for one who never is."""
        return [name for name in BUYERS if name not in self._world.erased] or [BUYERS[0]]

    def _tidy(self) -> What:
        return Tidy(self._one_of(self._numbers() or ("1",)), self._dice.randint(1, 30))

    # --- how the shop stands ---

    def _numbers(self) -> tuple[str, ...]:
        with self._world.look.read() as connection:
            return tuple(connection.execute(text("SELECT number FROM orders ORDER BY id")).scalars())

    def _case(self, number: str) -> Case:
        with self._world.look.read() as connection:
            key = connection.execute(text("SELECT id FROM orders WHERE number = :number"), {"number": number}).scalar_one()
            return cases.load(connection, [key], lock=False)[key].case
