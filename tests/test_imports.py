"""Who may import whom, what an import costs in modules, and one stem per family in every folder."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import comparisons
import em
import models
from comparisons import families

ROOT = Path(__file__).parent.parent
FAMILIES = (
    "coins",
    "gaussians",
    "poissons",
    "exponentials",
    "gammas",
    "negative_binomials",
    "beta_binomials",
    "latent_classes",
    "regressions",
)
# What a package may import at all. All but NumPy and SciPy only inside functions, which the second table says.
ALLOWED = {
    "models": {"models", "numpy", "scipy", "pymc", "pytensor", "numba", "arviz", "xarray", "formulaic", "pandas"},
    "em": {"em", "models", "numpy", "scipy", "numba", "rich", "dask", "pyarrow", "pandas"},
}
AT_IMPORT = {"models": {"models", "numpy", "scipy"}, "em": {"em", "models", "numpy", "scipy"}}
# Estimators with scikit-learn's habits, which nothing else of `em` imports, so that they may import it at their top. Inside its
# `comparison` the estimator asks for a verdict: the one arrow upward, which is taken by who calls it.
ESTIMATORS, UPWARD = "em/sklearn/", {("em/sklearn/estimator.py", "comparisons")}
# The room whose matter is a PyMC program.
DERIVED = "em/derived/"
# Loaded inside a function when numba is needed, so that they may import it, LLVM's builder and PyTensor at their top.
COMPILED = {f"models/compiled/{name}.py" for name in ("lanes", "row_pass", "fused", "operation")}
COMPILED |= {"em/hidden_markov_pass.py"}
# What em may know of models. In its PyMC side em has no business, so that the two densities are written apart; the compiled pass
# over rows knows no density.
NOUNS = {
    f"models.{name}"
    for name in (
        "coins.nouns",
        "compiled.row_pass",
        "gaussians.covariances",
        "gaussians.measurements",
        "gaussians.nouns",
        "poissons",
        "exponentials",
        "gammas",
        "negative_binomials",
        "beta_binomials",
        "latent_classes",
        "hidden_markov_chains",
        "regressions.nouns",
        "regressions.regressors",
        "elementwise",
        "inputs",
        "later",
        "display",
        "family",
        "mixtures",
        "order",
        "tables",
    )
} | {"models"}


def imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """Every module imported, whether at import time, and the line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            late |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            assert node.module is not None
            yield node.module, id(node) not in late, node.lineno


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ["models", "em"])
def test_packages_import_only_what_is_below_them(package: str) -> None:
    for path in sources(package):
        for name, at_import, line in imports(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names:
                continue
            allowed = AT_IMPORT if at_import else ALLOWED
            place = path.relative_to(ROOT).as_posix()
            compiled = place in COMPILED and top in {"numba", "llvmlite", "pytensor"}
            derived = place.startswith(DERIVED) and top in {"pymc", "pytensor"} and not at_import
            habits = place.startswith(ESTIMATORS) and top == "sklearn"
            up = (place, name) in UPWARD and not at_import
            assert compiled or derived or habits or up or top in allowed[package], f"{place}:{line} imports {name}"


def test_em_knows_the_nouns_of_models_and_none_of_its_densities() -> None:
    for path in sources("em"):
        for name, _, line in imports(path):
            if name.partition(".")[0] == "models":
                assert name in NOUNS, f"{path.relative_to(ROOT)}:{line} imports {name}"


def test_nobody_imports_comparisons_but_who_asks_an_estimator_for_a_verdict() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for package in ("models", "em")
        for path in sources(package)
        for name, *_ in imports(path)
        if name.partition(".")[0] == "comparisons"
    }
    assert found == UPWARD


def test_em_itself_imports_none_of_its_estimators() -> None:
    for path in sources("em"):
        if not path.relative_to(ROOT).as_posix().startswith(ESTIMATORS):
            assert not any(name.startswith(("em.sklearn", "sklearn")) for name, *_ in imports(path))


def test_imports_load_nothing_heavy() -> None:
    code = (
        "import sys, em, models\n"
        "heavy = ('pymc', 'pytensor', 'arviz', 'arviz_stats', 'arviz_base', 'pandas', 'matplotlib', 'numba', 'xarray')\n"
        "heavy += ('dask', 'pyarrow', 'rich', 'sklearn')\n"
        "print([name for name in heavy if name in sys.modules], 'scipy.optimize' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


@pytest.mark.parametrize("package", [em, models, comparisons])
def test_a_package_offers_what_it_says(package: Any) -> None:
    assert set(dir(package)) == set(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("folder", ["models", "em", "comparisons/families", "comparisons/study"])
def test_every_family_has_its_stem_in_every_folder(family: str, folder: str) -> None:
    place = ROOT / folder / family
    assert place.is_dir() or place.with_suffix(".py").is_file()


def test_the_families_are_all_there_are() -> None:
    """What offers a mixture by EM is a family, and listed above."""
    offering = {
        path.parent.name if path.stem == "fit" else path.stem
        for path in sources("em")
        if path not in (ROOT / "em" / "fit.py", ROOT / "em" / "general.py")
        and re.search(r"^def \w+_mixture\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert offering == set(FAMILIES) == {name.replace("-", "_") for name in families.FAMILIES}


# From the lowest: whoever is named here may import what stands in its own line or before it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("models",),
    ("em",),
    (
        "comparisons.results",
        "comparisons.display",
        "comparisons.draws_by_name",
        "comparisons.quantity_names",
        "comparisons.binomial",
        "comparisons.settings",
    ),
    (
        "comparisons.names",
        "comparisons.tables",
        "comparisons.text_files",
        "comparisons.datasets",
        "comparisons.declared_rows",
        "comparisons.engine_failures",
    ),
    ("comparisons.declaration",),
    ("comparisons.pair",),
    ("comparisons.hidden_markov_chains",),
    ("comparisons.components.record", "comparisons.methods.record"),
    ("comparisons.report", "comparisons.paper"),
    ("comparisons.archive",),
    ("comparisons.catalogue",),
    ("comparisons.sampled",),
    ("comparisons.problem", "comparisons.capabilities", "comparisons.differences"),
    ("comparisons.families",),
    (
        "comparisons.quantities",
        "comparisons.not_numbers",
        "comparisons.words",
        "comparisons.own",
        "comparisons.columns",
        "comparisons.formulas",
        "comparisons.known_components",
        "comparisons.missing_rows",
    ),
    ("comparisons.pairs",),
    ("comparisons.auditing",),
    ("comparisons.posterior",),
    ("comparisons.checks", "comparisons.summary", "comparisons.labels", "comparisons.model_fit"),
    ("comparisons.judgement",),
    ("comparisons.pipeline", "comparisons.toml_files"),
    ("comparisons.components", "comparisons.methods", "comparisons.study"),
    ("comparisons.command", "comparisons.__main__"),
)


def layer(module: str) -> int:
    """The place of a module among the layers."""
    for place, packages in enumerate(LAYERS):
        if any(module == package or module.startswith(f"{package}.") for package in packages):
            return place
    raise AssertionError(f"{module} is in no layer; put it into one of LAYERS, or into a room that is")


def arrows(root: Path) -> dict[str, set[str]]:
    """What each module imports of the packages, for types and inside functions too, but for what only a script does."""
    paths = {}
    for package in ("models", "em", "comparisons"):
        for path in (root / package).rglob("*.py"):
            paths[".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = path
    found: dict[str, set[str]] = {name: set() for name in paths}
    for name, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        as_script = {
            id(inner)
            for node in tree.body
            if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in as_script:
                continue
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found[name] |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name: {each for each in told if each in paths} - {name} for name, told in found.items()}


def upward(root: Path) -> list[str]:
    """Every import of something above; the package `comparisons` itself is the door, which all rooms lie behind."""
    return [
        f"{name} imports {other}"
        for name, told in arrows(root).items()
        for other in told
        if "comparisons" not in (name, other) and layer(other) > layer(name)
    ]


def test_every_import_goes_down(tmp_path: Path) -> None:
    assert upward(ROOT) == []
    for package in ("models", "em", "comparisons"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.csv"))
    planted = tmp_path / "comparisons" / "problem.py"
    planted.write_text(f"{planted.read_text()}\n\ndef late() -> None:\n    import comparisons.checks.stationary\n")
    assert upward(tmp_path) == ["comparisons.problem imports comparisons.checks.stationary"]


def circles(told: dict[str, set[str]]) -> list[str]:
    """Modules that import themselves by way of others; a package and what is in it are one where only its name is taken."""
    sorter: TopologicalSorter[str] = TopologicalSorter(
        {name: {each for each in others if not name.startswith(f"{each}.")} for name, others in told.items()}
    )
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_are_no_circles() -> None:
    told = arrows(ROOT)
    # The door imports what is behind it inside its functions.
    told["comparisons"] = set()
    assert circles(told) == []
    assert circles({**told, "models.inputs": {"models.order"}}) != []


# Where a family may be named: its own files, the studies' populations and faults that are planted in it.
NAMES = "|".join(FAMILIES)
OWN = re.compile(rf"(models|em|comparisons/study)/({NAMES})(/|\.py)|comparisons/(families|catalogue)/")
QUESTION = re.compile(
    r"isinstance\([^()]*\b(Coin|Gaussian|Poisson|Exponential|Gamma|EventCounts|Measurements|WaitingTimes|PositiveTimes)\w*"
    rf"|[\"']({NAMES})[\"']"
)


def questions(root: Path) -> list[str]:
    """Every place outside a family's own files that asks of which family something is."""
    return [
        f"{place}:{number}: {line.strip()}"
        for package in ("models", "em", "comparisons")
        for path in sorted((root / package).rglob("*.*"))
        if path.suffix in (".py", ".jinja")
        for place in [path.relative_to(root).as_posix()]
        if not OWN.match(place)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if QUESTION.search(line)
    ]


def test_no_family_is_asked_for_outside_its_own_files() -> None:
    assert questions(ROOT) == []
