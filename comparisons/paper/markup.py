"""One text, three writers: plain text, citations and code as Markdown, LaTeX and Typst, whatever the text holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comparisons.report.digits import MISSING
from comparisons.report.reservations import END_MARK, MARK

# Characters of a name in a line of text, of which so many of its end stay where it is shortened.
LONGEST_NAME, END = 80, 20
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        '"': "''",
        "−": "$-$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "χ": r"$\chi$",
        "√": r"$\surd$",
        MARK: r"\textdagger{}",
        END_MARK: r"\textdaggerdbl{}",
        "\u00a0": "~",
    }
)
# They turn the direction of what stands around them, and no engine of LaTeX takes all of them.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"


@dataclass(frozen=True, slots=True)
class Cite:
    """Citations at this place, by their keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A formula or command, letter by letter."""

    text: str


type Part = str | Cite | Code
type Paragraph = Sequence[Part]


@dataclass(frozen=True, slots=True)
class Format:
    """How text, citations, code and lists are written; ``suffix`` is of the files."""

    suffix: str
    text: Callable[[str], str]
    cite: Callable[[tuple[str, ...]], str]
    code: Callable[[str], str]
    items: Callable[[list[str]], list[str]]
    around: tuple[str, str] = ("", "")

    def paragraph(self, parts: Paragraph) -> str:
        """Return one line."""
        begin, end = self.around
        written = "".join(
            self.cite(part.keys)
            if isinstance(part, Cite)
            else self.code(part.text)
            if isinstance(part, Code)
            else self.text(part)
            for part in parts
        )
        return f"{begin}{written}{end}"


def short(text: str, most: int = LONGEST_NAME) -> str:
    """Return a name that a line of text can hold, with its beginning and its end.

    Examples
    --------
    >>> short("means"), len(short("a" * 10000))
    ('means', 80)
    """
    return text if len(text) <= most else f"{text[: most - END - 1]}…{text[-END:]}"


def _line(text: str) -> str:
    """Return the text in one line; an empty one would end a paragraph, which no caption and no cell can hold."""
    return _DIRECTIONS.sub("", re.sub(r"[ \t\r\n]*[\t\r\n][ \t\r\n]*", " ", text))


def latex(text: str) -> str:
    r"""Escape what LaTeX takes for its own.

    Examples
    --------
    >>> latex("head_probabilities[A] & 5%")
    'head\\_probabilities[A] \\& 5\\%'
    """
    escaped = _line(text).translate(_LATEX).replace(MISSING, "--")
    for digit, plain in zip(_SUPERSCRIPTS, "-0123456789", strict=True):
        escaped = escaped.replace(digit, f"$^{{{plain}}}$")
    return escaped


def markdown(text: str) -> str:
    r"""Escape what Markdown, and Pandoc's with its citations and mathematics, takes for its own.

    Examples
    --------
    >>> markdown("a_b & <i>")
    'a\\_b \\& \\<i\\>'
    """
    return re.sub(r"[\\`*_{}\[\]<>#|~$@^&\"']", r"\\\g<0>", _line(text))


def typst(text: str) -> str:
    r"""Escape what Typst takes for its own.

    Examples
    --------
    >>> typst("#a_b [1] -- x = 2")
    '\\#a\\_b \\[1\\] \\-\\- x \\= 2'
    """
    escaped = re.sub(r"[\\#$*_`<>@~;\[\]\"'/=+]|(?<!\w)-|-(?!\w)|\.(?=\.)|(?<=^)\d+(?=\.)", r"\\\g<0>", _line(text))
    # A number and a full stop begin a list; a backslash before a digit is none of Typst's.
    return re.sub(r"^\\(\d+)\.", r"\1\\.", escaped)


def _fenced(text: str) -> str:
    """Return code in Markdown, between more backticks than stand in it side by side."""
    plain = _line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    blank = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{blank}{plain}{blank}{fence}"


MARKDOWN = Format(
    "md",
    markdown,
    lambda keys: f" [{'; '.join(f'@{key}' for key in keys)}]",
    _fenced,
    lambda told: [f"* {markdown(each)}" for each in told],
)
LATEX = Format(
    "tex",
    latex,
    lambda keys: rf"~\cite{{{','.join(keys)}}}",
    lambda text: rf"\texttt{{{latex(text).replace('--', '-{}-')}}}",
    lambda told: [r"\begin{itemize}\sloppy", *(rf"\item {{}}{latex(each)}" for each in told), r"\end{itemize}"],
    # Names of quantities have no place to break a line at.
    ("\\begin{sloppypar}\n", "\n\\end{sloppypar}"),
)
TYPST = Format(
    "typ",
    typst,
    lambda keys: "".join(f" #cite(<{key}>)" for key in keys),
    lambda text: f"#raw({json.dumps(_line(text), ensure_ascii=False)})",
    lambda told: [f"- {typst(each)}" for each in told],
)
FORMATS = (MARKDOWN, LATEX, TYPST)
