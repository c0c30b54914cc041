"""Which folder may import which: the whole list. `make lint` holds what is forbidden; this holds what is allowed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "tracing": set(),
    "language": set(),
    "workflow": {"tracing", "language", "transitions", "babel", "holidays", "pydantic", "iso4217", "orjson"},
    "storage": {"language", "tracing", "workflow", "sqlalchemy", "sqlmodel", "alembic", "filelock"},
    "inbound": {"language", "workflow", "config", "python_calamine"},
    "effects": {"language", "workflow", "jinja2", "babel", "filelock", "urllib3", "apprise"},
    "evidence": {"language", "workflow", "PIL", "obstore"},
    "config": {"language", "workflow", "pydantic"},
    "engine": {"language", "tracing", "workflow", "storage", "inbound", "effects", "evidence", "sqlalchemy"},
    "jobs": {"language", "workflow", "storage", "engine", "apscheduler", "filelock"},
    "admin": {
        "language",
        "workflow",
        "storage",
        "inbound",
        "effects",
        "evidence",
        "config",
        "engine",
        "jobs",
        "click",
        "rich",
        "jinja2",
        "tzlocal",
    },
}
STANDARD = set(sys.stdlib_module_names)
READ_THE_CLOCK = {"jobs", "admin"}


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_what_it_may_and_no_more(folder):
    for path in (ROOT / folder).rglob("*.py"):
        if "versions" not in path.parts:
            extra = imported(ast.parse(path.read_text())) - STANDARD - {folder} - ALLOWED[folder]
            assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


@pytest.mark.parametrize("folder", sorted(ALLOWED.keys() - READ_THE_CLOCK))
def test_only_jobs_and_commands_read_the_clock_the_environment_and_signals(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in {"now", "utcnow", "today", "monotonic", "signal", "environ"}, f"{path}:{node.lineno}"


def test_the_process_has_no_files_no_randomness_no_log_and_no_threads():
    outside = {"io", "logging", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid"}
    for path in (ROOT / "workflow").rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert not imported(tree) & outside, path
        calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not calls & {"open", "print", "input"}, path


def test_every_folder_of_the_application_is_on_the_list_and_in_the_package():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "drills"}
    assert folders == ALLOWED.keys()
    assert all(f'"{folder}"' in (ROOT / "pyproject.toml").read_text().split("[tool.ruff]")[0] for folder in folders)


def test_commands_reach_the_tables_through_the_engine_alone():
    """Only the wiring and the maintenance of whole databases may import storage; nothing in `admin` opens a transaction."""
    for path in (ROOT / "admin").rglob("*.py"):
        tree = ast.parse(path.read_text())
        if path.name not in ("app.py", "db.py"):
            assert "storage" not in imported(tree), path.relative_to(ROOT)
            assert "sqlalchemy" not in imported(tree), path.relative_to(ROOT)
        calls = [
            node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        ]
        assert "begin" not in calls
        written = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and _opens_a_transaction(node)]
        assert written == [], path.relative_to(ROOT)


def _opens_a_transaction(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("write", "read") and "database" in ast.unparse(call.func)


def test_one_module_builds_changes_of_cases():
    builders = [
        path.relative_to(ROOT).as_posix()
        for path in _code()
        if "CaseChange(" in path.read_text().replace("class CaseChange", "")
    ]
    assert builders == ["engine/unit_of_work.py"]


def _code() -> list[Path]:
    return sorted(path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py"))


def test_two_modules_name_a_dialect():
    """What differs between the databases is in two files; the others ask the protocol (migrations stay as they were run)."""
    naming = set()
    for path in _code():
        if "migrations" not in path.parts:
            words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            naming |= {path.relative_to(ROOT).as_posix()} if words & {"sqlite", "postgresql"} else set()
    assert naming == {"storage/sqlite.py", "storage/postgresql.py"}


MAIL = {"jinja2", "smtplib", "sqlalchemy.dialects.postgresql"}
PROCESS = {"workflow.policy.policy", "workflow.step", "holidays", "transitions"}


@pytest.mark.parametrize(
    ("command", "never"),
    [
        *((name, MAIL | PROCESS) for name in ("orders", "timers", "effects", "claims", "exceptions")),
        ("explain", MAIL | {"workflow.step", "transitions"}),
    ],
)
def test_what_only_looks_starts_without_what_it_does_not_need(command, never):
    loaded = f"import sys, admin.commands.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", loaded], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not never & {*done.stdout.split()}


@pytest.mark.parametrize(("room", "never"), [("drills", {"tests", "bench"}), ("bench", {"tests"})])
def test_drills_and_benchmarks_need_no_tests(room, never):
    for path in (ROOT / room).rglob("*.py"):
        assert not never & imported(ast.parse(path.read_text())), path.relative_to(ROOT)


def test_no_test_imports_from_another_test():
    for path in (ROOT / "tests").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) tests\.[\w.]*test_", path.read_text(), re.MULTILINE), path.relative_to(ROOT)
