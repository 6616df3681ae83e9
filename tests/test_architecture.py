"""The house held against the imports: which way dependencies point, one door a library, small functions. None ignored.

Rooms are layers, innermost first. A module imports its own room and rooms of lower layers, nothing beside or above it.
Imports inside functions count as much as those at the top.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EVALUATION_CORE = (
    "metrics", "intervals", "likelihood", "trials", "signature_pool", "pairwise", "protocols", "known_sets", "parts",
    "splits",
)  # fmt: skip

LAYERS: tuple[tuple[str, ...], ...] = (
    ("sigverify",),
    ("sigverify.records",),
    ("sigverify.errors",),
    ("sigverify.config",),
    ("sigverify.trained_on",),
    ("sigverify.bundle", "sigverify.contracts", "sigverify.scans", "sigverify.scoring", "sigverify.evaluation-core"),
    ("sigverify.synthesis", "sigverify.model", "sigverify.storage"),
    ("sigverify.verifier",),
    ("sigverify.verification",),
    (
        "sigverify.datasets",
        "sigverify.batch",
        "sigverify.evaluation",
        "sigverify.registry",
        "sigverify.model_card",
        "sigverify.explanation",
    ),
    ("sigverify.retraining", "sigverify.synthetic_catalogue"),
    ("sigverify.registration", "sigverify.pretraining", "sigverify.measurement"),
    ("sigverify.cli", "flows"),
)
LAYER_OF = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}

DOORS = {  # third-party library -> rooms that may import it
    "prefect": ("flows",),
    "mlflow": ("sigverify.registry",),
    "sqlalchemy": ("sigverify.storage",),
    "torch": ("sigverify.model", "sigverify.verifier"),
    "timm": ("sigverify.model",),
    "albumentations": ("sigverify.model",),
    "skimage": ("sigverify.scans", "sigverify.synthesis", "sigverify.evaluation", "sigverify.evaluation-core"),
    "pandera": ("sigverify.contracts",),
    "open_data_contract_standard": ("sigverify.contracts",),
    "typer": ("sigverify.cli",),
}
SCORING_MAY = {"numpy", "scipy", "sklearn"}
FLOWS_MAY_NOT = {"numpy", "pandas", "torch", "scipy", "skimage", "sklearn"}
BARE_GPU_ROOMS = (
    "sigverify.scans",
    "sigverify.scoring",
    "sigverify.evaluation-core",
    "sigverify.synthesis",
    "sigverify.model",
)
ABSENT_ON_A_GPU_MACHINE = (
    "pydantic", "sqlalchemy", "albumentations", "prefect", "mlflow", "pandera", "fsspec", "typer", "rich", "jinja2",
    "matplotlib", "pyarrow", "open_data_contract_standard",
)  # fmt: skip

MODULES = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for package in ("sigverify", "flows")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def room_of(module: str) -> str:
    """sigverify.scans.read -> sigverify.scans; evaluation's core is a room of its own."""
    parts = module.split(".")
    if parts[0] == "flows" or len(parts) == 1:
        return parts[0]
    if parts[1] == "evaluation" and (len(parts) == 2 or parts[2] in EVALUATION_CORE):
        return "sigverify.evaluation-core"
    return ".".join(parts[:2])


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import; `from a import b` yields a.b where that is a module of ours, else a."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if inner in MODULES else str(node.module)


IMPORTS = [(m, line, name) for m, path in MODULES.items() for line, name in imports_of(path)]


def third_party(room: str) -> set[str]:
    tops = {name.split(".")[0] for module, _, name in IMPORTS if room_of(module) == room}
    return tops - set(sys.stdlib_module_names) - {"sigverify", "flows"}


def test_every_module_has_a_room() -> None:
    homeless = sorted(m for m in MODULES if room_of(m) not in LAYER_OF)
    assert not homeless, f"give these a layer in LAYERS: {homeless}"


def test_dependencies_point_inward() -> None:
    wrong = []
    for module, line, name in IMPORTS:
        here, there = room_of(module), room_of(name)
        if name.split(".")[0] not in ("sigverify", "flows") or here == there:
            continue
        if LAYER_OF[there] >= LAYER_OF[here]:
            wrong.append(f"{module}:{line} ({here}) imports {name} ({there})")
    assert not wrong, "\n".join(wrong)


def test_each_library_has_one_door() -> None:
    wrong = [
        f"{module}:{line} imports {name}; its door is {', '.join(DOORS[top])}"
        for module, line, name in IMPORTS
        if (top := name.split(".")[0]) in DOORS and room_of(module) not in DOORS[top]
    ]
    assert not wrong, "\n".join(wrong)


def test_scoring_needs_numbers_only() -> None:
    assert third_party("sigverify.scoring") <= SCORING_MAY


def test_flows_hold_no_mathematics() -> None:
    assert not third_party("flows") & FLOWS_MAY_NOT


def test_the_library_never_imports_flows() -> None:
    assert not [m for m, _, name in IMPORTS if m.startswith("sigverify") and name.split(".")[0] == "flows"]


def in_a_fresh_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)


def test_gpu_rooms_import_on_a_bare_machine() -> None:
    """model, synthesis, scans, scoring and evaluation's core import where half of our dependencies are missing."""
    wanted = [m for m in MODULES if room_of(m) in BARE_GPU_ROOMS]
    done = in_a_fresh_python(
        f"""
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {ABSENT_ON_A_GPU_MACHINE!r}:
            raise ModuleNotFoundError(f'{{name}} is not on a bare GPU machine', name=name)
sys.meta_path.insert(0, Absent())
for module in {wanted!r}:
    importlib.import_module(module)
print('imported', len({wanted!r}))
"""
    )
    assert done.stdout.strip() == f"imported {len(wanted)}", done.stderr[-2000:]


@pytest.mark.parametrize("module", ["sigverify", "sigverify.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = ["torch", "timm", "mlflow", "prefect", "pandas", "skimage", "sklearn", "matplotlib", "scipy", "sqlalchemy"]
    if module not in MODULES:
        pytest.fail(f"{module} does not exist")
    done = in_a_fresh_python(f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr[-2000:]


def test_nothing_unpickles() -> None:
    wrong = []
    for module, path in MODULES.items():
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\b(cloud)?pickle\.loads?\(|joblib\.load\(|allow_pickle=True", text):
                wrong.append(f"{module}:{number}: {text.strip()}")
            if "torch.load(" in text and "weights_only=True" not in text:
                wrong.append(f"{module}:{number}: {text.strip()}")
    assert not wrong, "\n".join(wrong)
    assert not [m for m, _, name in IMPORTS if name in ("pickle", "cloudpickle", "dill", "shelve")]


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_functions_and_modules_are_short() -> None:
    lengths, wrong = [], []
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if text.count("\n") > 300:
            wrong.append(f"{module}: {text.count(chr(10))} lines, at most 300")
        if text.strip() and ast.get_docstring(tree) is None and path.name != "__init__.py":
            wrong.append(f"{module}: no module docstring")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lengths.append(body_length(node))
                limit = 80 if module == "sigverify.model.training" and node.name.startswith("train") else 60
                if lengths[-1] > limit:
                    wrong.append(f"{module}.{node.name}: {lengths[-1]} lines, at most {limit}")
    lengths.sort()
    assert not wrong, "\n".join(wrong)
    assert lengths[int(0.9 * (len(lengths) - 1))] <= 25


def test_no_drawers() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert not [m for m in MODULES if drawers & set(m.split("."))]
