"""Where simulated messages go: a server that fails in every way a server can, and remembers what it was handed."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from drills.simulation.faults import SLOW_SECONDS, Gate
from effects.channel import NotSent, OutcomeUnknown, Outgoing

OUTCOMES = ("taken", "busy", "refused", "cut off before", "cut off after", "broken", "killed before", "killed after", "slow")
"""What a server does with a message; from the middle of the dialogue on its sender cannot know whether it was taken."""


@dataclass(slots=True)
class Sink:
    """All channels of a simulated shop."""

    gate: Gate
    may_take: Callable[[str], str | None]
    """Says why a message with a key must not leave at this moment, or None."""
    outcomes: list[str] = field(default_factory=list)
    """What becomes of the next messages; when there are no more, they are taken."""
    texts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    taken: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, str] = field(default_factory=dict)
    uncertain: int = 0
    """How often a sender could not know whether its message was taken."""
    wrong: list[str] = field(default_factory=list)
    """What must not have been handed over."""

    def send(self, message: Outgoing) -> None:
        """Take a message, or fail."""
        self.texts[message.key].add(f"{message.recipient}\n{message.subject}\n{message.body}")
        self.kinds[message.key] = message.kind
        if why := self.may_take(message.key):
            self.wrong.append(f"{message.key}: {why}")
        outcome = self.outcomes.pop(0) if self.outcomes else "taken"
        if outcome != "taken":
            self.gate.struck[f"server: {outcome}"] += 1
        self._answer(message.key, outcome)

    def _answer(self, key: str, outcome: str) -> None:
        if outcome in ("busy", "refused"):
            raise NotSent(outcome, try_again=outcome == "busy")
        if outcome == "slow":
            self.gate.slow(SLOW_SECONDS)
        elif outcome != "taken":
            self.uncertain += 1
        if outcome == "killed before":
            self.gate.kill()
        if outcome not in ("cut off before", "broken"):
            self.taken[key] += 1
        if outcome == "killed after":
            self.gate.kill()
        if outcome.startswith("cut off"):
            raise OutcomeUnknown(outcome)
        if outcome == "broken":
            raise RuntimeError("the library of the channel is broken")
