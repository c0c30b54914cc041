import re
from pathlib import Path

from admin.commands.diagram import mermaid

ROOT = Path(__file__).parents[1]


def test_the_drawn_state_machine_is_that_of_the_table():
    for name in ("docs/state_machine.md", "README.md"):
        assert mermaid() in (ROOT / name).read_text(), f"{name} lags: run `aftersales diagram`"


def test_every_rule_that_the_code_cites_is_written():
    rules = set(re.findall(r"^- \*\*(\d+\.\d+)\*\*", (ROOT / "docs/process.md").read_text(), re.MULTILINE))
    folders = ("workflow", "storage", "inbound", "engine", "effects", "jobs", "admin")
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for cited in re.findall(r"rules? (\d+\.\d+)", path.read_text()):
            assert cited in rules, f"{path} cites rule {cited}, which is not in docs/process.md"


def test_the_policy_file_says_what_the_program_takes_for_granted():
    from config.settings import DEFAULT_POLICY
    from workflow.policy.policy import Policy, read_policy
    from workflow.process import EFFECTS

    written = read_policy(DEFAULT_POLICY.read_text())
    assert written.effects.modes == {effect.kind: effect.mode for effect in EFFECTS}
    plain = written.model_copy(update={"effects": written.effects.model_copy(update={"modes": {}})})
    assert plain == Policy()


def test_every_situation_of_the_article_names_the_test_that_tells_it():
    told = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/process.md").read_text()))
    assert told == set(re.findall(r"^def (test_\w+)", (ROOT / "tests/test_article.py").read_text(), re.MULTILINE))


def test_every_trigger_and_rule_that_the_situations_name_exists():
    from workflow.process import EFFECTS, ROWS

    known = {row.trigger for row in ROWS} | {effect.kind for effect in EFFECTS}
    text = (ROOT / "docs/process.md").read_text()
    rules = set(re.findall(r"^- \*\*(\d+\.\d+)\*\*", text, re.MULTILINE))
    for line in (line for line in text.splitlines() if "`test_" in line):
        _, _, _, triggers, cited, *_ = line.split("|")
        assert set(re.findall(r"`(\w+)`", triggers)) <= known, line
        assert set(re.findall(r"\d+\.\d+", cited)) <= rules, line
