"""The entry point: commands are imported only when they are used, so that --help is quick."""

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from admin.lazy import LazyGroup, translated
from admin.text import safe, without_secrets
from config.screen_language import language_of
from language import tr, use
from workflow.errors import AftersalesError, UsageError, describe_error

COMMANDS: dict[str, str] = {
    "run": "The daemon: fires due timers, sends effects, runs maintenance.",
    "once": "One pass of the same jobs, then exit (cron, systemd timer).",
    "import": "Bring in orders and reports from CSV, JSON or JSON Lines.",
    "replay": "Run a file's past through the process on a virtual clock.",
    "simulate": "Simulate an order's timeline.",
    "inbox": "List the files that the inbox has taken in, and close what was rejected.",
    "mapping": "Propose, check and list mappings of foreign files.",
    "catalogue": "Say which suppliers can deliver which goods; list and check it.",
    "today": "What needs you now, most urgent first, and the deadlines of the next days.",
    "money": "What is owed to you, by whom and since when, and what was lost.",
    "orders": "Find orders by state, deadline, supplier, tracking number, text, or need of a person.",
    "show": "One order's whole story.",
    "explain": "Why an order is where it is, what fires next, what you may do.",
    "timers": "List deadlines; postpone, pause, resume, fire, cancel or shift them.",
    "claims": "List claims; look at one, add photos and videos, preview its refund.",
    "exceptions": "List reports that could not be applied, and close them.",
    "effects": "List what leaves the engine; approve, drop or retry it, or say that it is done.",
    "decisions": "List what waits for a decision of yours.",
    "decide": "Answer what waits for a decision on an order.",
    "undo": "Take back what a person has last reported or decided.",
    "report": "Report something about an order.",
    "erase": "Remove a buyer's name, addresses, messages and evidence everywhere.",
    "export": "Write histories as CSV, or as an event log for process mining.",
    "resolve": "Say what was done about an order that needs a person.",
    "stats": "Counts, how late timers fired, and how each supplier does.",
    "check": "Check settings, policy, calendar, database and daemon.",
    "audit": "Check that no history was edited, deleted, reordered or cut off.",
    "policy": "Show, check or try a policy; move running timers to it.",
    "diagram": "Print the state machine, drawn from the process table.",
    "db": "Make or upgrade the tables; back the database up and restore it; copy it to another.",
    "observe": "Go live after an observed import, or a restore.",
    "demo": "Live through two hundred sample orders, in a folder of its own.",
}


EXIT_CODES = {0: "done", 1: "refused or failed", 2: "wrong usage", 3: "done with rejected rows"}
"""What the exit code of every command says."""


@click.group(
    cls=LazyGroup,
    module="admin.commands.{}",
    described=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings file [env: AFTERSALES_CONFIG; default: aftersales.toml if it is there]",
)
@click.option("--database", help="Database URL [env: AFTERSALES_DATABASE; default: sqlite:///aftersales.db]")
@click.option("--traceback", is_flag=True, help="Show where in the program an unexpected error comes from")
@click.version_option(package_name="aftersales")
@click.pass_context
def cli(ctx: click.Context, config_file: Path | None, database: str | None, traceback: bool) -> None:
    """After-sales automation: every order a state machine whose deadlines fire by themselves.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 done with rejected rows.
    Shell completion: eval "$(_AFTERSALES_COMPLETE=bash_source aftersales)" (or zsh_source, fish_source).
    """
    ctx.obj = {"config": config_file, "database": database}
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def main() -> None:
    """Run the command; every error is one line and an exit code, without a traceback."""
    gc.disable()  # until the command is imported: looking for garbage among new modules takes a tenth of the start
    os.umask(0o077)  # exports, copies and databases hold personal data
    try:
        language = language_of(sys.argv[1:], os.environ)
        use(language)
        os.environ["LANGUAGE"] = language  # click looks its own texts up by gettext, in the language of the environment
        _check_arguments(sys.argv)
        translated(cli)(prog_name="aftersales")
    except AftersalesError as error:
        _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a full disk, a name that is too long, a folder that may not be searched
        where = f" ({error.filename!r})" if error.filename else ""
        _fail(f"{error.strerror or error}{where}", 1)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # a library written in Rust panics outside of Exception
        if "--traceback" in sys.argv:
            raise
        _fail(
            tr("unexpected error ({error}); `aftersales --traceback …` shows where it comes from", error=describe_error(error)),
            1,
        )


def _fail(message: str, code: int) -> NoReturn:
    """Print an error in one line, without anything secret, and leave."""
    line = f"aftersales: {' '.join(without_secrets(safe(message)).split())}"
    if sys.stderr.isatty():
        from admin.tables import GAP, terminal_width, wrapped  # a mistake in a script is told without a terminal

        first, *others = wrapped(line, terminal_width(sys.stderr) - GAP)
        line = click.style("\n".join((first, *(f"{' ' * GAP}{other}" for other in others))), fg="red")
    click.echo(line, err=True)
    sys.exit(code)


def _check_arguments(words: Sequence[str]) -> None:
    """Refuse arguments that are not valid UTF-8 text."""
    for word in words:
        if not word.isprintable() and any("\ud800" <= character <= "\udfff" for character in word):
            raise UsageError(tr("{word!a} is not UTF-8 text", word=word))
