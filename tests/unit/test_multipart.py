"""Forms with parts: whatever was put in comes out, whatever is damaged is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import InvalidMultipart
from landbridge.wire.http.multipart import MOST_PARTS, Part, is_multipart, parse

ledger = pytest.mark.ledger
BOUNDARY = "----=_b0undary'()+_,-./:?"
KIND = f'multipart/form-data; boundary="{BOUNDARY}"'


def write(parts: list[tuple[str, str | None, bytes]], boundary: str = BOUNDARY) -> bytes:
    body = b"preamble that nobody reads\r\n"
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'.encode()
        body += b"Content-Type: text/plain; charset=UTF-8\r\n\r\n" + data + b"\r\n"
    return body + f"--{boundary}--\r\nepilogue".encode()


NAMES = st.text(
    st.characters(blacklist_characters='"\\\r\n', blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12
)
DATA = st.binary(max_size=300) | st.sampled_from([b"", b"\r\n", b"--", b"\r\n--", b"\r\n--x", BOUNDARY.encode()])
PARTS = st.lists(st.tuples(NAMES, st.none() | NAMES, DATA), max_size=5)


@given(PARTS)
def test_every_part_comes_out_byte_for_byte(parts: list[tuple[str, str | None, bytes]]) -> None:
    found = parse(KIND, write(parts))

    assert [(part.name, part.filename, bytes(part.data)) for part in found] == parts
    assert {part.content_type for part in found} <= {"text/plain"}


@given(PARTS, st.data())
def test_what_was_cut_off_or_changed_is_parsed_or_refused_never_worse(
    parts: list[tuple[str, str | None, bytes]], data: st.DataObject
) -> None:
    body = bytearray(write(parts))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from(("cut", "flip", "drop", "add")))
        if how == "cut":
            del body[at:]
        elif how == "flip":
            body[at] ^= data.draw(st.integers(1, 255))
        elif how == "drop":
            del body[at : at + data.draw(st.integers(1, 9))]
        else:
            body[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        if not body:
            break

    try:
        found = parse(KIND, bytes(body))
    except InvalidMultipart:
        return
    assert all(isinstance(part, Part) and part.name for part in found)


@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_bytes_under_any_content_type_are_parsed_or_refused(body: bytes, kind: str) -> None:
    try:
        parse(f"multipart/form-data; {kind}", body)
    except InvalidMultipart:
        return


@given(PARTS, st.integers(0, 10_000))
def test_a_body_that_ends_early_is_refused(parts: list[tuple[str, str | None, bytes]], cut: int) -> None:
    body = write(parts)
    last = body.rindex(f"--{BOUNDARY}--".encode()) + len(BOUNDARY) + 3

    with pytest.raises(InvalidMultipart):
        parse(KIND, body[: min(cut, last)])


@ledger("error.InvalidMultipart", "guessed", "code of the WSDL's list, texts guessed")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", write([])),
        (KIND, b""),
        (KIND, b"no boundary at all"),
        (KIND, f"--{BOUNDARY}x\r\n\r\n\r\n--{BOUNDARY}--".encode()),
        (KIND, f"--{BOUNDARY}\r\n\r\nnameless\r\n--{BOUNDARY}--".encode()),
        (KIND, f"--{BOUNDARY}\r\nContent-Disposition: attachment; name=x\r\n\r\n\r\n--{BOUNDARY}--".encode()),
        (KIND, f"--{BOUNDARY}\r\nnonsense\r\n\r\n\r\n--{BOUNDARY}--".encode()),
        (
            KIND,
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\xff\r\n\r\n\r\n--{BOUNDARY}--".encode("latin-1"),
        ),
        (
            KIND,
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n"
            f"--{BOUNDARY}--".encode(),
        ),
        (KIND, write([("x", None, b"")] * (MOST_PARTS + 1))),
        (KIND, f"--{BOUNDARY}\r\nX: {'y' * 9000}\r\n\r\n\r\n--{BOUNDARY}--".encode()),
    ],
)
def test_a_damaged_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(InvalidMultipart):
        parse(kind, body)


def test_only_forms_are_forms() -> None:
    assert is_multipart('Multipart/Form-Data; boundary="x"')
    assert not is_multipart("multipart/mixed; boundary=x")
    assert not is_multipart(None)
