"""
XML for sfdx source and SOAP: small, bounded, with line numbers, over the standard library's expat.

A DOCTYPE is refused, so there are no entities to expand and nothing outside the text is read. Names are local names; the
namespace stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100


class XmlError(ValueError):
    """Not well-formed, too large, or with a DOCTYPE; `line` is where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass(slots=True)
class Element:
    """One element: local name, namespace, text of its own (CDATA included), children in order, line it begins on."""

    tag: str
    ns: str
    line: int
    attrs: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, tag: str) -> Element | None:
        """The first child of that name."""
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, tag: str) -> Iterator[Element]:
        """Every child of that name."""
        return (child for child in self.children if child.tag == tag)

    def get(self, tag: str, default: str = "") -> str:
        """The text of the first child of that name, without blanks around it."""
        child = self.find(tag)
        return default if child is None else child.text.strip()


def parse(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Element:
    """The root element. Raises XmlError."""
    if len(data) > max_bytes:
        raise XmlError(f"larger than {max_bytes} bytes", 1)
    builder = _Builder(max_depth)
    parser = expat.ParserCreate(namespace_separator="\n")
    parser.buffer_text = True
    builder.attach(parser)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlError(expat.ErrorString(error.code), error.lineno) from None
    assert builder.root is not None  # expat refuses a text without a root element
    return builder.root


class _Builder:
    def __init__(self, max_depth: int) -> None:
        self.root: Element | None = None
        self._stack: list[Element] = []
        self._max_depth = max_depth

    def attach(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        if len(self._stack) >= self._max_depth:
            raise XmlError(f"nested more than {self._max_depth} deep", line)
        ns, _, tag = name.rpartition("\n")
        element = Element(tag, ns, line, {key.rpartition("\n")[2]: value for key, value in attrs.items()})
        if self._stack:
            self._stack[-1].children.append(element)
        else:
            self.root = element
        self._stack.append(element)

    def _end(self, name: str) -> None:
        del name
        self._stack.pop()

    def _data(self, text: str) -> None:
        self._stack[-1].text += text

    def _doctype(self, *_: object) -> None:
        raise XmlError("a DOCTYPE is refused", self._parser.CurrentLineNumber)


def escape(text: str) -> str:
    """Text for between tags or inside a double-quoted attribute."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
