"""The XML reader: bounded, no DOCTYPE, lines where things are."""

from __future__ import annotations

import pytest

from landbridge.xml import XmlError, escape, parse


def test_elements_have_local_names_text_and_lines() -> None:
    root = parse(b'<?xml version="1.0"?>\n<a xmlns="urn:x">\n <p:b xmlns:p="urn:y" k="v"><![CDATA[1 < 2]]></p:b>\n</a>')

    (child,) = root.children
    assert (root.tag, root.ns, child.tag, child.ns) == ("a", "urn:x", "b", "urn:y")
    assert (child.text, child.attrs, child.line) == ("1 < 2", {"k": "v"}, 3)
    assert root.get("b") == "1 < 2"


BOMB = b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><l>&b;</l>'
XXE = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BOMB, "DOCTYPE is refused"), (XXE, "DOCTYPE is refused"), (b"<a>\n<b></a>", "line 2: mismatched tag"),
        (b"", "no element found"), (b"<a>" * 101 + b"</a>" * 101, "nested more than 100"), (b"<a>&nope;</a>", "undefined entity"),
    ],
)  # fmt: skip
def test_what_is_dangerous_or_broken_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(XmlError, match=message):
        parse(data)


def test_a_text_over_the_bound_is_refused() -> None:
    with pytest.raises(XmlError, match="larger than 10 bytes"):
        parse(b"<a>" + b" " * 10 + b"</a>", max_bytes=10)


def test_escaped_text_comes_back() -> None:
    text = '<&">'
    root = parse(f'<a k="{escape(text)}">{escape(text)}</a>'.encode())

    assert (root.text, root.attrs["k"]) == (text, text)
