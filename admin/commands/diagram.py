"""diagram: the process in three pictures and a table of its clocks, as Markdown with Mermaid, drawn from the process table."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from workflow.process import CLOCKS, ON_ITS_WAY, ROWS, UNSHIPPED
from workflow.vocabulary import State, Target

S = State
GROUPS: dict[str, tuple[str, tuple[State, ...]]] = {
    "unshipped": ("not shipped", UNSHIPPED),
    "on_its_way": ("on its way", ON_ITS_WAY),
}
"""States that are drawn as one where an edge is the same for all of them."""
_TIMED = {clock.trigger for clock in CLOCKS}
_CLAIM = (S.disputed, S.refunded, S.reissued)
Edge = tuple[str, str, str]
"""Source, target and label."""


def pictures() -> dict[str, str]:
    """Return the three pictures by title; each edge of the process table is in one of them."""
    edges = [*_edges()]
    interception = [edge for edge in edges if S.intercepting in edge[:2]]
    claims = [e for e in edges if e not in interception and (e[0] in (*_CLAIM, S.refunding) or e[1] in _CLAIM)]
    supply = [edge for edge in edges if edge not in interception and edge not in claims]
    return {
        "Supply and delivery": _picture(supply, ends=(S.closed,)),
        "Interception": _picture(interception),
        "Claim and money": _picture(claims, ends=(S.refunded, S.reissued)),
    }


def clock_table() -> str:
    """Return the clocks as a Markdown table: where each runs, which lines of the policy say when it is due, what it does."""
    rows = ["| clock | runs in | policy | when it fires |", "|---|---|---|---|"]
    for clock in CLOCKS:
        where = "any state" if len(clock.runs_in) == len(State) else ", ".join(clock.runs_in)
        rows.append(f"| `{clock.trigger}` | {where} | {', '.join(f'`{name}`' for name in clock.settings)} | {clock.meaning} |")
    return "\n".join(rows) + "\n"


def document() -> str:
    """Return pictures and clocks as Markdown."""
    drawn = [f"## {title}\n\n```mermaid\n{picture}```\n" for title, picture in pictures().items()]
    return "\n".join([*drawn, f"## Clocks\n\n{clock_table()}"])


def _edges() -> Iterator[Edge]:
    for row in ROWS:
        label, target = f"⏰ {row.trigger}" if row.trigger in _TIMED else row.trigger, _end(row.target)
        if target:
            yield from ((str(source), target, label) for source in row.sources or ("[*]",))


def _end(target: State | Target) -> str | None:
    """Return where an edge ends, or None where none is drawn: the order stays, or a person names the state."""
    if target is Target.back:
        return "back"
    return str(target) if isinstance(target, State) else None


def _picture(edges: Sequence[Edge], ends: Iterable[State] = ()) -> str:
    """Return a Mermaid state diagram; edges that all states of a group share begin at the group."""
    known = {state for edge in edges for state in edge[:2]}
    shown = {name: states for name, (_, states) in GROUPS.items() if known.issuperset(states)}
    group_of = {str(state): name for name, states in shown.items() for state in states}
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source, target, label in dict.fromkeys(_grouped(edges, shown, group_of)):
        labels[source, target].append(label)
    inner: dict[str, list[str]] = {name: [] for name in shown}
    outer = ["    back: where it came from"] if "back" in known else []
    for (source, target), some in labels.items():
        line = f"    {source} --> {target}: {', '.join(some)}"
        group = group_of.get(source)
        if group and group == group_of.get(target):
            inner[group].append(f"    {line}")
        else:
            outer.append(line)
    lines = ["stateDiagram-v2"]
    for name, states in shown.items():
        within = inner[name] or [f"        {state}" for state in states]
        lines += [f'    state "{GROUPS[name][0]}" as {name} {{', *within, "    }"]
    return "\n".join([*lines, *outer, *(f"    {state} --> [*]" for state in ends)]) + "\n"


def _grouped(edges: Sequence[Edge], shown: Mapping[str, Sequence[State]], group_of: Mapping[str, str]) -> Iterator[Edge]:
    """Yield edges out of a group once, if they begin in all of its states."""
    sources: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source, target, label in edges:
        sources[target, label].add(source)
    for source, target, label in edges:
        group = group_of.get(source)
        leaves = group is not None and group_of.get(target) != group
        yield (group if group and leaves and sources[target, label].issuperset(shown[group]) else source, target, label)


@click.command("diagram")
def diagram_command() -> None:
    """Print the process as Markdown: three pictures in Mermaid and its clocks, drawn from the process table."""
    click.echo(document(), nl=False)
