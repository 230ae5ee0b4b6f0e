"""The description of a bundle as an RO-Crate (version 1.1): JSON-LD with what every file is, its checksum, and how it was made.

Written out here: the package ``rocrate`` describes folders on disk with the time of today, and brings a client for the web along.

Source: Soiland-Reyes et al. (2022). Packaging research artefacts with RO-Crate. Data Science 5 (2), 97–138.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from comparisons.results.result import Result

METADATA = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
# The context of version 1.1 is older than this term of schema.org.
SHA256 = {"sha256": "https://schema.org/sha256"}
MADE, ROOT, PROGRAM = "#made", "./", "#em-comparisons"
ROWS = "data/rows.csv"
INPUTS = "inputs"
KINDS = {
    ".json": "application/json",
    ".nc": "application/x-hdf5",
    ".csv": "text/csv",
    ".html": "text/html",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".typ": "text/plain",
    ".bib": "application/x-bibtex",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".toml": "application/toml",
    ".py": "text/x-python",
}
TOLD = {
    "result.json": "The verdict, its reasons, and every number behind it",
    "posterior.nc": "Draws from the posterior, as ArviZ reads them",
    "report.html": "The report",
    "estimates.csv": "Estimates with every digit",
    "components.json": "How many components there are",
    "methods.json": "Which other methods come to the same posterior",
    ROWS: "The rows as fitted",
    "requirements.lock": "Versions of all packages, with their hashes",
}


def described(result: Result, files: Mapping[str, bytes], command: str, why: str) -> bytes:
    """Return the description of these files, the same for the same files.

    ``command`` makes the result again, with ``inputs/`` as its folder; ``why`` stands in its place where there is none.
    """
    parts = [_file(name, content) for name, content in sorted(files.items())]
    references = [{"@id": part["@id"]} for part in parts]
    versions = ", ".join(f"{name} {version}" for name, version in result.provenance.versions.items())
    graph: list[dict[str, Any]] = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": ROOT},
            "conformsTo": {"@id": SPECIFICATION},
        },
        {
            "@id": ROOT,
            "@type": "Dataset",
            "name": result.title,
            "description": f"{result.question} Verdict: {result.verdict}. {result.summary}",
            "datePublished": result.provenance.started,
            "license": "The terms of the data are those of their source, which is named under data in result.json.",
            "hasPart": references,
            "mentions": {"@id": MADE},
        },
        {
            "@id": MADE,
            "@type": "CreateAction",
            "name": "EM and the posterior, compared",
            "description": command or why,
            "startTime": result.provenance.started,
            "instrument": {"@id": PROGRAM},
            "object": [each for each in references if each["@id"].startswith(f"{INPUTS}/")],
            "result": [each for each in references if each["@id"] in ("result.json", "posterior.nc")],
        },
        {
            "@id": PROGRAM,
            "@type": "SoftwareApplication",
            "name": "em-comparisons",
            "version": result.provenance.git_commit or result.provenance.key,
            "softwareRequirements": versions,
        },
        *parts,
    ]
    crate = {"@context": [f"{SPECIFICATION}/context", SHA256], "@graph": graph}
    return json.dumps(crate, ensure_ascii=False, indent=1).encode() + b"\n"


def checksums(metadata: bytes) -> tuple[dict[str, str], str]:
    """Return the checksum of each file that a crate describes, and the command that made them, or why there is none.

    Raises
    ------
    ValueError
        It is no description of a bundle.
    """
    try:
        graph = {entity["@id"]: entity for entity in json.loads(metadata)["@graph"]}
        told = {part["@id"]: graph[part["@id"]]["sha256"] for part in graph[ROOT]["hasPart"]}
        return {unquote(name): str(digest) for name, digest in told.items()}, str(graph[MADE]["description"])
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{METADATA} does not describe a bundle of comparisons ({error!r})") from error


def _file(name: str, content: bytes) -> dict[str, Any]:
    told = TOLD.get(name) or ("Read by the command" if name.startswith(f"{INPUTS}/") else PurePosixPath(name).name)
    return {
        "@id": quote(name),
        "@type": "File",
        "name": told,
        "contentSize": str(len(content)),
        "encodingFormat": KINDS.get(PurePosixPath(name).suffix, "application/octet-stream"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
