"""What the documents say is so: links, examples, generated pages, and the tests that hold the invariants."""

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from pydantic import TypeAdapter

from monitor import cli
from monitor.service.oidc import OidcSettings
from rules.conditions import Condition, Node, Use
from rules.events import decode, json_schema
from rules.packs import load_packs
from rules.parameters import Parameter
from rules.settings import SiteSettings
from rules.testing import Run, load_scenario
from streams.embedded.settings import EmbeddedSettings
from streams.kafka.settings import load_settings
from streams.simulator import GROUPS
from streams.topics import TOPICS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
RULE_PACKS = (ROOT / "docs/rule-packs.md").read_text(encoding="utf-8")
KAFKA = (ROOT / "docs/kafka.md").read_text(encoding="utf-8")
SERVICE = (ROOT / "docs/service.md").read_text(encoding="utf-8")
SIMULATOR = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
SCENARIOS = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CONDITION: TypeAdapter[Node] = TypeAdapter(Condition)


def blocks(text: str, language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


def test_the_lifecycle_page_is_drawn_from_the_table() -> None:
    script = runpy.run_path(str(ROOT / "docs/lifecycle.py"))
    page = (ROOT / "docs/lifecycle.md").read_text(encoding="utf-8")
    assert page == script["render"](), "write it anew: python docs/lifecycle.py"


def test_the_picture_is_small_and_loads_nothing() -> None:
    picture = (ROOT / "docs/demo.svg").read_text(encoding="utf-8")
    assert len(picture) < 200_000
    assert not re.findall(r"(?:href|src|url)\s*[=(:]\s*[\"']?(?:https?:)?//", picture)


@pytest.mark.parametrize("name", ["unit", "bed"])
def test_the_pictures_of_the_dashboard_are_small(name: str) -> None:
    picture = (ROOT / f"docs/{name}.webp").read_bytes()
    assert (picture[:4], picture[8:12]) == (b"RIFF", b"WEBP")
    assert len(picture) < 250_000


def test_the_keys_of_the_dashboard_are_those_that_it_lists() -> None:
    page = (ROOT / "docs/dashboard.md").read_text(encoding="utf-8")
    module = (ROOT / "monitor/dashboard/static/js/keys.js").read_text(encoding="utf-8")
    (letters,) = re.findall(r"const letters = \{(.*?)\}", module)
    known = set(re.findall(r'"?([\w?])"?: on\.', letters))
    rows = re.findall(r"^\| ((?:`[a-z?]`(?:, )?)+) \|", page, re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(.)`", row)} == known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [path for path, _ in links if path and not (page.parent / path).exists()]


def test_the_tests_that_hold_the_invariants_exist() -> None:
    named = re.findall(r"`(tests/\S+?\.py)::(\w+)`", ARCHITECTURE)
    assert len(named) > 10
    assert not [f"{path}::{name}" for path, name in named if name not in set(functions(ROOT / path))]


def functions(path: Path) -> Iterator[str]:
    if path.exists():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_the_events_of_the_readme_are_events() -> None:
    lines = [line for block in blocks(README, "json") for line in block.splitlines()]
    events = [decode(line) for line in lines]
    assert {event.kind for event in events} == {"observations", "infusion", "encounter"}
    assert events == sorted(events, key=lambda event: event.received_at)


def test_the_kinds_that_the_readme_names_are_the_kinds() -> None:
    sentence = " ".join(README.partition("The other kinds are ")[2].partition(".")[0].split())
    kinds = set(re.findall(r"`(\w+)`", sentence))
    known = set(json_schema()["discriminator"]["mapping"])
    assert kinds | {"observations", "infusion", "encounter"} == known


def test_the_settings_of_the_readme_can_be_used(tmp_path: Path) -> None:
    (block,) = blocks(README, "yaml")
    file = tmp_path / "site.yaml"
    file.write_text(block, encoding="utf-8")
    assert set(yaml.safe_load(block)) <= set(SiteSettings.model_fields)
    cli.open_ward(file, ())


def test_the_commands_of_the_guides_exist() -> None:
    text = RULE_PACKS + SCENARIOS
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    used = [line.split("#")[0].split() for line in lines if line.startswith("rescue-monitor rules ")]
    group = cli.rescue_monitor.commands["rules"]
    assert isinstance(group, click.Group)
    assert {name for _, _, name, *_ in used} == set(group.commands)
    for _, _, name, *arguments in used:
        options = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_the_exit_codes_of_the_readme_are_those_of_the_command_line() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \| \S", README, re.MULTILINE)]
    assert codes == [cli.OK, cli.FAULTS, cli.USAGE, cli.BAD_LINES, cli.UNREADABLE, cli.INTERRUPTED, cli.READER_GONE]


def test_the_commands_of_the_readme_exist() -> None:
    lines = [line for page in (README, KAFKA, SERVICE) for block in blocks(page, "sh") for line in block.splitlines()]
    parts = [part.split("#")[0].split() for line in lines for part in line.split("|")]
    used = [words for words in parts if words[:1] == ["rescue-monitor"]]
    assert used
    for _, name, *arguments in used:
        command: click.Command = cli.rescue_monitor.commands[name]
        if isinstance(command, click.Group):
            command = command.commands[arguments[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_the_topics_of_the_guide_are_the_topics() -> None:
    rows = re.findall(r"^\| `(icu\.\w+)` \| (\S.*?) \| (.*?) \| (.*) \|$", KAFKA, re.MULTILINE)
    assert [(name, key) for name, key, _, _ in rows] == [(str(topic.name), topic.key) for topic in TOPICS.values()]
    for topic, (_, _, kept, holds) in zip(TOPICS.values(), rows, strict=True):
        assert topic.retention is None or kept == f"{topic.retention.days} days"
        assert set(re.findall(r"`(\w+)`", holds)) == topic.kinds


def test_the_settings_of_the_kafka_guide_can_be_used(tmp_path: Path) -> None:
    (block,) = blocks(KAFKA, "yaml")
    file = tmp_path / "kafka.yaml"
    file.write_text(block, encoding="utf-8")
    assert load_settings(file, {}).prefix == "ward-7."


def test_the_settings_of_the_service_guide_can_be_used() -> None:
    runtime, tokens, oidc = (yaml.safe_load(block) for block in blocks(SERVICE, "yaml"))
    EmbeddedSettings.model_validate(runtime)
    assert [token["role"] for token in tokens["tokens"]] == ["clinician"]
    login = OidcSettings.model_validate(oidc).login
    assert login is not None
    assert login.client == "rescue-monitor-dashboard"


def test_every_kind_of_condition_has_an_example_that_loads() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(.*)` \|$", RULE_PACKS, re.MULTILINE)
    examples = {name: CONDITION.validate_python(yaml.safe_load("{" + example + "}")) for name, example in rows}
    assert {name: node.model_dump()["type"] for name, node in examples.items()} == {name: name for name in examples}
    kinds = re.findall(r"'(\w+)': '#/\$defs", str(CONDITION.json_schema()))
    assert set(examples) == set(kinds)


def test_the_examples_of_conditions_name_what_the_bundled_pack_has() -> None:
    packs = load_packs()
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(.*)` \|$", RULE_PACKS, re.MULTILINE)
    nodes = [node for _, text in rows for node in CONDITION.validate_python(yaml.safe_load("{" + text + "}")).walk()]
    assert {name for node in nodes for name in (*node.numbers(), *node.durations())} <= {
        name for pack in packs for name in pack.parameters
    }
    assert {node.name for node in nodes if isinstance(node, Use)} <= {
        name for pack in packs for name in pack.conditions
    }


def test_the_parameters_of_the_guide_load() -> None:
    example = yaml.safe_load(blocks(RULE_PACKS, "yaml")[0])
    for parameter in example["parameters"].values():
        Parameter.model_validate(parameter)


def test_the_scenario_of_the_guide_passes(tmp_path: Path) -> None:
    file = tmp_path / "guide.scenario.yaml"
    file.write_text(blocks(SCENARIOS, "yaml")[0], encoding="utf-8")
    assert Run(load_scenario(file)).failures() == []


def test_the_python_of_the_guide_runs() -> None:
    (example,) = blocks(SCENARIOS, "python")
    exec(compile(example, "docs/scenarios.md", "exec"), {})  # noqa: S102 - our own example


def test_the_page_on_the_simulator_names_every_course_in_its_group() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (`.*) \|$", SIMULATOR, re.MULTILINE)
    named = {group: tuple(re.findall(r"`([\w-]+)`", courses)) for group, courses in rows}
    assert named == GROUPS


def test_the_commands_of_the_page_on_the_simulator_exist() -> None:
    lines = [line for block in blocks(SIMULATOR, "sh") for line in block.splitlines()]
    options = {option for parameter in cli.rescue_monitor.commands["simulate"].params for option in parameter.opts}
    used = [line.partition("|")[0].split() for line in lines]
    assert {words[1] for words in used} == {"simulate"}
    assert {word for words in used for word in words if word.startswith("--")} <= options
