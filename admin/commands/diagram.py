"""diagram: the state machine as Mermaid text, drawn from the process table."""

from collections import defaultdict

import click

from workflow.process import CLOCKS, ROWS
from workflow.vocabulary import State, Target

_TIMED = {clock.trigger for clock in CLOCKS}


def mermaid() -> str:
    """Return the diagram; a clock marks the triggers that timers fire, "back" what returns to where it came from."""
    edges: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in ROWS:
        label = f"⏰ {row.trigger}" if row.trigger in _TIMED else row.trigger
        target = _end(row.target)
        for source in row.sources or ("[*]",):
            if target and label not in edges[str(source), target]:
                edges[str(source), target].append(label)
    lines = ["stateDiagram-v2", "    back: where it came from"]
    lines += [f"    {source} --> {target}: {', '.join(labels)}" for (source, target), labels in edges.items() if labels]
    lines += [f"    {state} --> [*]" for state in (State.closed, State.refunded, State.reissued)]
    return "\n".join(lines) + "\n"


def _end(target: State | Target) -> str | None:
    """Return where an edge ends, or None where none is drawn: the order stays, or a person names the state."""
    if target is Target.back:
        return "back"
    return str(target) if isinstance(target, State) else None


@click.command("diagram")
def diagram_command() -> None:
    """Print the state machine as Mermaid text, drawn from the process table."""
    click.echo(mermaid(), nl=False)
