import re
from pathlib import Path

from admin import reference
from admin.commands.check import CHECKS
from admin.commands.diagram import document, pictures
from workflow.process import ROWS
from workflow.vocabulary import Target

ROOT = Path(__file__).parents[2]


def test_the_drawn_process_is_that_of_the_table():
    assert document() in (ROOT / "docs/state_machine.md").read_text(), "it lags: run `aftersales diagram`"
    assert pictures()["Supply and delivery"] in (ROOT / "README.md").read_text(), "it lags: run `aftersales diagram`"


def test_every_edge_of_the_table_is_drawn_once():
    drawn = "".join(pictures().values())
    for row in ROWS:
        ends = row.target is not Target.stays and row.target is not Target.named
        assert not ends or re.search(rf"(?<!\w){row.trigger}(?!\w)", drawn), row


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
    from workflow.vocabulary import Mode

    written = read_policy(DEFAULT_POLICY.read_text())
    assert written.effects.modes == {effect.kind: Mode.auto for effect in EFFECTS}
    plain = written.model_copy(update={"effects": written.effects.model_copy(update={"modes": {}})})
    assert plain == Policy()


def test_every_situation_of_the_article_names_the_test_that_tells_it():
    told = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/process.md").read_text()))
    assert told == set(re.findall(r"^def (test_\w+)", (ROOT / "tests/engine/test_article.py").read_text(), re.MULTILINE))


def test_every_trigger_and_rule_that_the_situations_name_exists():
    from workflow.process import EFFECTS, ROWS

    known = {row.trigger for row in ROWS} | {effect.kind for effect in EFFECTS}
    text = (ROOT / "docs/process.md").read_text()
    rules = set(re.findall(r"^- \*\*(\d+\.\d+)\*\*", text, re.MULTILINE))
    for line in (line for line in text.splitlines() if "`test_" in line):
        _, _, _, triggers, cited, *_ = line.split("|")
        assert set(re.findall(r"`(\w+)`", triggers)) <= known, line
        assert set(re.findall(r"\d+\.\d+", cited)) <= rules, line


def test_the_reference_lists_what_the_program_knows():
    assert reference.document() == (ROOT / "docs/reference.md").read_text(), "it lags: `python -m admin.reference` prints it"


def test_every_finding_of_check_is_in_the_reference():
    yielded = set(re.findall(r'"(A\d{3})",? ?(?:"(?:error|warning|info)"|\n)', (ROOT / "admin/commands/check.py").read_text()))
    assert yielded == CHECKS.keys()
