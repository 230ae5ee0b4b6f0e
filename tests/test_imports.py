"""Who may import whom, what an import costs in modules, and one stem per family in every folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import comparisons
import em
import models

ROOT = Path(__file__).parent.parent
FAMILIES = ("coins", "gaussians")
# What a package may import at all. All but NumPy and SciPy only inside functions, which the second table says.
ALLOWED = {
    "models": {"models", "numpy", "scipy", "pymc", "pytensor", "arviz", "xarray"},
    "em": {"em", "models", "numpy", "scipy", "numba", "rich", "dask", "pyarrow"},
}
AT_IMPORT = {"models": {"models", "numpy", "scipy"}, "em": {"em", "models", "numpy", "scipy"}}
# Loaded inside a function when numba is needed, so that they may import it, and LLVM's builder with it, at their top.
COMPILED = {"em/rows/lanes.py", "em/rows/compiled_pass.py"}
# What em may know of models. In its PyMC side em has no business, so that the two densities are written apart.
NOUNS = {
    f"models.{name}"
    for name in ("coins", "gaussians", "inputs", "later", "display", "measurements", "mixtures", "order", "tables")
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
            compiled = place in COMPILED and top in {"numba", "llvmlite"}
            assert compiled or top in allowed[package], f"{place}:{line} imports {name}"


def test_em_knows_the_nouns_of_models_and_none_of_its_densities() -> None:
    for path in sources("em"):
        for name, _, line in imports(path):
            if name.partition(".")[0] == "models":
                assert name in NOUNS, f"{path.relative_to(ROOT)}:{line} imports {name}"


def test_nobody_imports_comparisons() -> None:
    for package in ("models", "em"):
        for path in sources(package):
            assert not any(name.partition(".")[0] == "comparisons" for name, *_ in imports(path))


def test_imports_load_nothing_heavy() -> None:
    code = (
        "import sys, em, models\n"
        "heavy = ('pymc', 'pytensor', 'arviz', 'arviz_stats', 'arviz_base', 'pandas', 'matplotlib', 'numba', 'xarray')\n"
        "heavy += ('dask', 'pyarrow', 'rich')\n"
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
@pytest.mark.parametrize("place", ["models/{}.py", "em/{}.py", "tests/test_{}.py"])
def test_every_family_has_its_stem_in_every_folder(family: str, place: str) -> None:
    assert (ROOT / place.format(family)).is_file()


def test_the_families_are_all_there_are() -> None:
    """A module of ``em`` that offers a mixture is a family, and listed above."""
    offering = {
        path.stem for path in sources("em") if "_mixture(\n" in path.read_text(encoding="utf-8") and path.stem != "fit"
    }
    assert offering == set(FAMILIES)
