"""The README against the code: its commands and options exist, every command is in it, its file map is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from sigverify.cli import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """Every command by its full name: `models list`."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        grouped = hasattr(command, "commands")
        found |= commands(command, f"{prefix}{name} ") if grouped else {prefix + name: command}
    return found


COMMANDS = commands(typer.main.get_command(app))


def typed(text: str) -> list[str]:
    """`sigverify ...` lines of a document: in back-ticks, or a line of a code block."""
    inline = re.findall(r"`(?:[\w./]*/)?sigverify ([^`]+)`", text)
    blocks = [b.replace("\\\n", " ") for b in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)]
    lines = [m for b in blocks for m in re.findall(r"^(?:\$ )?(?:[\w./]*/)?sigverify (.+)$", b, re.MULTILINE)]
    return inline + lines


def resolve(line: str) -> tuple[str, list[str]]:
    """(command name, the words after it); a command that does not exist fails."""
    words = shlex.split(line, comments=True)
    for n in (2, 1):
        if (name := " ".join(words[:n])) in COMMANDS:
            return name, words[n:]
    raise AssertionError(
        f"README types `sigverify {line}`, which is no command; there are {', '.join(sorted(COMMANDS))}"
    )


@pytest.mark.parametrize("document", ["README.md", "benchmarks/README.md", "CHANGELOG.md"])
def test_commands_and_options_of_a_document_exist(document: str) -> None:
    path = ROOT / document
    lines = typed(path.read_text(encoding="utf-8")) if path.exists() else []
    for line in lines:
        if line.startswith("-"):
            continue  # `sigverify --help`
        name, rest = resolve(line)
        known = {option for p in COMMANDS[name].params for option in (*p.opts, *p.secondary_opts)} | {"--help"}
        asked = {w.split("=")[0] for w in rest if re.match(r"--?[a-z]", w)}
        assert asked <= known, f"{document}: sigverify {name} has no {sorted(asked - known)}"


def test_every_command_is_in_the_readme() -> None:
    told = {resolve(line)[0] for line in typed(README) if not line.startswith("-")}
    assert told == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    text = COMMANDS[name].help or ""
    assert len(text.split(".")[0]) > 15
    if name != "version":
        assert f"Example: sigverify {name}" in text
    for p in COMMANDS[name].params:
        if p.param_type_name == "option":
            assert p.help, f"sigverify {name} {p.opts[0]} says nothing"


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    asked = set(re.findall(r"`make ([a-z]+)`", README)) | set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= asked <= targets


def test_deployed_flows_are_those_the_readme_names() -> None:
    deployed = {
        d["entrypoint"].split(".")[-1] for d in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    }
    section = README.split("\n## Flows", 1)[1].split("\n## ", 1)[0]
    assert deployed == {"ingest_scans", "enrol_writers", "verify_batch", "retrain_verifier"}
    assert all(f"`{name}`" in section for name in deployed)


def file_map() -> list[str]:
    """Paths the README's file map names, folders ending in a slash."""
    block = README.split("\n## File map", 1)[1].split("```")[1]
    paths, base = [], ""
    for line in block.strip("\n").splitlines():
        names = re.findall(r"(?:^ *|  )([\w./-]+(?:/|\.\w+))(?=[ ,])", line + " ")
        inside = line.startswith(" ")
        if not inside and names and names[0].endswith("/"):
            base = names[0]
        paths += [base + n if inside else n for n in names]
    return paths


def test_the_file_map_is_true() -> None:
    named = file_map()
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_file_map_names_every_room() -> None:
    rooms = {
        f"sigverify/{p.name}{'/' if p.is_dir() else ''}"
        for p in (ROOT / "sigverify").iterdir()
        if not p.name.startswith(("_", ".")) and p.suffix in ("", ".py") and p.name not in ("assets", "py.typed")
    }
    assert not rooms - set(file_map())


def test_pictures_and_links_of_the_readme_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert not [link for link in links if not (ROOT / link).exists()]
