"""The command line for own data: what `run` is given beside names, `init` and `families`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=True, path_type=Path)


def tasks(
    context: click.Context, names: Sequence[str], given: dict[str, Any], settings: dict[str, Any]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Comparisons of own data by what asked for them, each with its name and options; all is read and checked here."""
    asked: dict[str, dict[str, Any]] = {}
    if "data" in given:
        if names:
            raise click.UsageError(f"--data and {names[0]} are two things to run; ask for one at a time", context)
        asked["--data"] = {**given, "data": str(given["data"]), **settings}
        if "columns" in given:
            asked["--data"]["columns"] = _columns(given["columns"])
    elif given:
        option = next(iter(given)).replace("n_components", "components").replace("columns", "column")
        raise click.UsageError(f"--{option} belongs to your own data; name the file with --data", context)
    files = [name for name in names if name.endswith(".toml")]
    if not asked and not files:
        return {}
    from comparisons import own, toml_files

    try:
        for name in files:
            asked[name] = settings | toml_files.read(Path(name))
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for told, options in asked.items():
            declared = own.declared(**{key: value for key, value in options.items() if key not in settings})
            for note in declared.notes:
                click.echo(note, err=True)
            found[told] = declared.comparison.name, options
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        raise click.UsageError(str(error), context) from error
    return found


def _columns(given: Sequence[str]) -> list[str] | dict[str, str]:
    """Names of columns, or columns by role where each is told as ROLE=COLUMN."""
    pairs = [each.partition("=") for each in given]
    if all(mark and role.isidentifier() for role, mark, _ in pairs):
        return {role: column for role, _, column in pairs}
    return list(given)


@click.command("init", short_help="Write a commented FILE.toml for your own data.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--data", type=FILE, required=True, help="Your own data.")
@click.option("--family", help="One of: comparisons families.  [default: by the columns]")
@click.option("--column", "columns", multiple=True, help="A column, or ROLE=COLUMN; again for more.")
@click.option("--components", "n_components", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--labels", help="Column that tells the component of some rows.")
@click.option("--counts", help="Column that says how often each row was seen.")
@click.pass_context
def write_toml(context: click.Context, /, file: Path, data: Path, n_components: int, **given: Any) -> None:
    """Write FILE, a commented TOML file that asks for a comparison of your own data; run it with: comparisons run FILE."""
    from comparisons import own, toml_files

    if file.suffix != ".toml":
        raise click.UsageError(f"{file} has to end in .toml, so that it can be told from a name", context)
    if file.exists():
        raise click.UsageError(f"{file} is there already; name another file, or remove it first", context)
    options = {key: value for key, value in given.items() if value}
    if "columns" in options:
        options["columns"] = _columns(options["columns"])
    try:
        try:
            asked = own.declared(str(data), n_components=n_components, name=file.stem, **options)
        except ValueError as error:
            if "missing value" not in str(error):
                raise
            options["missing"] = "drop"
            asked = own.declared(str(data), n_components=n_components, name=file.stem, **options)
        options.setdefault("columns", asked.columns)
        where = os.path.relpath(data, file.parent)
        file.write_text(toml_files.template(asked, options | {"data": where}), encoding="utf-8")
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        raise click.UsageError(str(error), context) from error
    for note in asked.notes:
        click.echo(note, err=True)
    click.echo(f"{file} is written; look at it, then: comparisons run {file}", err=True)


@click.command("families")
def list_families() -> None:
    """List the families of mixtures, with their columns and options."""
    from comparisons import families

    for family in families.FAMILIES.values():
        click.echo(f"{family.name}\n    columns: {family.columns_told}\n    default prior: {family.default_reason}\n")
