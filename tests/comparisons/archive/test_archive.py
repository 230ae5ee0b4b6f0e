"""A bundle holds what it says, says what was changed in it, and reaches nowhere; two results differ where they do."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from comparisons.archive import bundle, verify
from comparisons.archive.crate import METADATA
from comparisons.archive.differences import EM_ERROR, compare
from comparisons.archive.recipe import recipe, safe_words
from comparisons.command.command_line import main
from comparisons.results import store
from comparisons.sampled import SampledResult
from tests.stored_results import geyser, two_coins


def comparisons(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def stored(tmp_path: Path, result: SampledResult | None = None) -> Path:
    result = result or two_coins()
    store.write(result, tmp_path / "results" / result.name)
    return tmp_path / "results" / result.name


def commanded(command: str, data: bytes = b"") -> SampledResult:
    result = two_coins()
    told = replace(result.provenance, command=command)
    return replace(result, provenance=told, data=replace(result.data, sha256=sha256(data).hexdigest()))


def altered(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The same zip, one file of it changed."""
    other = path.with_name("altered.zip")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(other, "w") as after:
        for entry in before.infolist():
            content = before.read(entry)
            after.writestr(entry, change(content) if entry.filename == name else content)
    return other


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let the command of a bundle come to this result without running."""

    def comes_to(result: Any) -> None:
        monkeypatch.setattr(verify, "_again", lambda words, inputs, out, name: (result, "no result: bad luck"))

    return comes_to


def test_the_same_files_are_the_same_bytes_each_described_with_its_checksum(tmp_path: Path) -> None:
    directory = stored(tmp_path)
    (directory / "paper").mkdir()
    (directory / "paper" / "methods.md").write_text("Methods")
    (directory / ".unfinished").write_text("")
    for name in ("a.zip", "b.zip"):
        bundle.write(directory, tmp_path / name, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as zipped:
        graph = {each["@id"]: each for each in json.loads(zipped.read(METADATA))["@graph"]}
        names = {*zipped.namelist()} - {METADATA}
        assert names >= {"result.json", "posterior.nc", "paper/methods.md", "data/rows.csv", "requirements.lock"}
        assert {part["@id"] for part in graph["./"]["hasPart"]} == names
        assert ".unfinished" not in names
        assert all(graph[name]["sha256"] == sha256(zipped.read(name)).hexdigest() for name in names)
        assert zipped.read("data/rows.csv").decode().splitlines()[:2] == ["heads,tosses", "5.0,10.0"]
    assert graph["#made"]["description"] == "comparisons run two-coin"


def test_a_sound_bundle_is_equal_and_a_changed_datum_is_told_by_checksum_and_number(
    tmp_path: Path, computed: Callable[[Any], None]
) -> None:
    path = tmp_path / "a.zip"
    bundle.write(stored(tmp_path), path, tmp_path)
    computed(two_coins())
    answer = comparisons("verify", path)
    assert answer.exit_code == 0
    assert "EQUAL" in answer.stdout
    assert re.search(r"nine digits: (\d{4}) of \1 numbers", answer.stdout)
    answer = comparisons("verify", altered(path, "data/rows.csv", lambda rows: rows.replace(b"8.0,", b"9.0,")))
    assert answer.exit_code == 1
    assert "data/rows.csv: the checksum is" in answer.stdout
    assert "data/rows.csv.heads[3]  stored 9.0, new 8" in answer.stdout
    answer = comparisons(
        "verify", altered(path, "result.json", lambda text: text.replace(b"0.51958312", b"0.61958312"))
    )
    assert answer.exit_code == 1
    assert "its own digest" in answer.stdout
    assert "quantities[head_probabilities[B]].em" in answer.stdout
    assert "stored 0.61958312, new 0.51958312" in answer.stdout
    newer = replace(two_coins().provenance, git_commit="another", versions={"python": "4"})
    computed(replace(two_coins(), provenance=newer))
    answer = comparisons("verify", path)
    assert answer.exit_code == 0
    assert "Versions differ (python 3.13.1 → 4" in answer.stdout
    computed(None)
    answer = comparisons("verify", path)
    assert answer.exit_code == 1
    assert "bad luck" in answer.stdout


def test_what_was_in_memory_has_checksums_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    again = bundle.write(stored(tmp_path, commanded("comparisons.compare(y, n_components=2)")), path, tmp_path)
    assert again.why.startswith("It was made in Python")
    answer = comparisons("verify", path)
    assert answer.exit_code == 0
    assert "Checksums alone. It was made in Python" in answer.stdout
    assert comparisons("verify", altered(path, "posterior.nc", lambda content: content + b" ")).exit_code == 1


def test_a_command_takes_its_files_along_where_they_are_those_that_were_fitted(tmp_path: Path) -> None:
    data = tmp_path / "people.csv"
    data.write_bytes(b"height\n1\n2\n")
    result = commanded(f"comparisons run --data {data} --column height --components 2", data.read_bytes())
    found = recipe(result, Path("/"))
    assert found.command == "comparisons run --data people.csv --column height --components 2"
    assert found.inputs == {"people.csv": data}
    data.write_bytes(b"height\n1\n3\n")
    assert "its checksum is another" in recipe(result, tmp_path).why
    data.unlink()
    assert "is not in" in recipe(result, tmp_path).why


@pytest.mark.parametrize(
    "command",
    ["rm -r /", "comparisons run x --out /tmp", "comparisons run --data ../../a.csv", "comparisons run /a.py:family"],
)
def test_a_command_that_reaches_out_is_not_run(command: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the command of the bundle"):
        safe_words(command, tmp_path)


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "C:/out.txt", "a\\..\\out.txt"])
def test_nothing_is_extracted_outside_the_folder(name: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr(name, "evil")
    (folder := tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="leads out of its folder"):
        bundle.extract(path, folder)
    assert [*folder.iterdir()] == []
    assert {each.name for each in tmp_path.iterdir()} == {"evil.zip", "folder"}
    assert comparisons("verify", path).exit_code == 2


def test_links_and_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evil.zip"
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="is no file"):
        bundle.extract(path, tmp_path)
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("big", b"0" * 100)
    monkeypatch.setattr(bundle, "MOST_BYTES", 99)
    with pytest.raises(ValueError, match="not opened"):
        bundle.extract(path, tmp_path)


def test_em_has_an_error_of_its_own_and_the_posterior_that_of_its_draws() -> None:
    one = two_coins()
    first = one.quantities[0]
    assert first.em is not None
    assert first.em_se is not None
    assert first.posterior.mean is not None

    def against(**changes: Any) -> dict[str, str]:
        other = replace(one, quantities=[replace(first, **changes), *one.quantities[1:]])
        return {each.name.rpartition("]")[2]: each.judged for each in compare(one, other).found}

    assert against(em=first.em + 0.9 * EM_ERROR * first.em_se) == {".em": "within"}
    assert against(em=first.em + 1.1 * EM_ERROR * first.em_se) == {".em": "beyond"}
    # Two runs of one Monte Carlo error e are within 4 √2 e = 5.66 e.
    error = first.posterior.mcse or 0.0
    for errors, judged in ((5.6, "within"), (5.7, "beyond")):
        moved = replace(first.posterior, mean=first.posterior.mean + errors * error, hdi_low=0.4)
        assert against(posterior=moved) == {".posterior.mean": judged, ".posterior.hdi_low": "told"}
    # With the same draws nothing excuses another interval.
    assert against(posterior=replace(first.posterior, hdi_low=0.4)) == {".posterior.hdi_low": "beyond"}


def test_diff_tells_the_cause_first(tmp_path: Path) -> None:
    one = two_coins()
    stored(tmp_path)
    other = stored(tmp_path, replace(one, name="other", seed=3, verdict="agree"))
    asked = ("diff", "two-coin", other, "--out", tmp_path / "results")
    answer = comparisons(*asked)
    assert answer.exit_code == 1
    assert "What changed first: settings." in answer.stdout
    assert answer.stdout.index("A 2008, B 3") < answer.stdout.index("A differ, B agree")
    told = json.loads(comparisons(*asked, "--json").stdout)
    assert (told["same"], told["first"]) == (False, "settings")
    assert [each["name"] for each in told["differences"]] == ["seed", "verdict"]
    assert comparisons("diff", "two-coin", "two-coin", "--out", tmp_path / "results").exit_code == 0
    assert comparisons("diff", "two-coin", "nothing", "--out", tmp_path / "results").exit_code == 2
    assert compare(one, store.read(stored(tmp_path, geyser()))).first == "data"
