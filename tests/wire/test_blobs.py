"""Files: in as base64 or as a part of a form, out byte for byte; versions, links, deletes, restarts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from landbridge.records import blobs
from landbridge.storage import Unit
from tests.support.running import Reply, RunningOrg
from tests.wire.test_kill import Served

ledger = pytest.mark.ledger
GUIDE = "REST guide, Insert or Update Blob Data"
LINK = "SELECT LinkedEntityId, ShareType FROM ContentDocumentLink WHERE ContentDocumentId = '{}' ORDER BY ShareType"


def form(record: dict[str, Any], field: str, data: bytes, filename: str = "x.bin", **more: bytes) -> tuple[bytes, str]:
    """A body as curl makes it, and its Content-Type."""
    body = b'--b\r\nContent-Disposition: form-data; name="entity_content"\r\nContent-Type: application/json\r\n\r\n'
    body += json.dumps(record).encode()
    for name, content in {field: data, **more}.items():
        body += f'\r\n--b\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'.encode()
        body += b"Content-Type: application/octet-stream\r\n\r\n" + content
    return body + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def send(
    org: RunningOrg, method: str, path: str, record: dict[str, Any], field: str, data: bytes, **more: bytes
) -> Reply:
    body, kind = form(record, field, data, **more)
    return org.data(method, path, body, headers={"Content-Type": kind})


def upload(org: RunningOrg, data: bytes, **fields: Any) -> str:
    record = {"PathOnClient": "folder/report.final.PDF", "VersionData": b64encode(data).decode(), **fields}
    return org.create("ContentVersion", **record)


def stored(org: RunningOrg) -> tuple[int, int, int]:
    """Blobs, parts and uses in the database."""

    async def count() -> tuple[int, ...]:
        return tuple(
            org.door.server.db.read_now(lambda reader, t=table: reader.one(f"SELECT count(*) FROM {t}"))[0]
            for table in ("lb_blob", "lb_blob_part", "lb_blob_use")
        )

    found: tuple[int, int, int] = org.do(count)
    return found


SIZES = [0, 1, 1000, blobs.PART - 1, blobs.PART, blobs.PART + 1, 2 * blobs.PART, 3 * 1024 * 1024 + 7]


@ledger("blob.multipart", "documented", GUIDE)
@ledger("blob.download", "documented", GUIDE)
@pytest.mark.parametrize("size", SIZES)
def test_what_a_form_brings_comes_back_byte_for_byte(org: RunningOrg, size: int) -> None:
    data = os.urandom(size)

    reply = send(org, "POST", "/sobjects/ContentVersion", {"PathOnClient": "a.bin"}, "VersionData", data)
    assert reply.status == 201, reply.raw
    found = org.data("GET", f"/sobjects/ContentVersion/{reply.json['id']}/VersionData")

    assert (found.status, found.raw) == (200, data)
    assert found.headers["content-type"] == "application/octetstream"
    assert org.get("ContentVersion", reply.json["id"], "ContentSize")["ContentSize"] == size


@ledger("blob.base64", "documented", GUIDE)
@ledger("blob.url", "observed", "rest.md section 3")
@pytest.mark.parametrize("size", SIZES[1:])
def test_base64_comes_back_byte_for_byte_and_soql_shows_its_url(org: RunningOrg, size: int) -> None:
    data = os.urandom(size)

    version = upload(org, data)
    url = org.rows(f"SELECT VersionData FROM ContentVersion WHERE Id = '{version}'")[0]["VersionData"]

    assert url == f"/services/data/v67.0/sobjects/ContentVersion/{version}/VersionData"
    assert org.get("ContentVersion", version)["VersionData"] == url
    assert org.request("GET", url).raw == data
    assert org.request("HEAD", url).status == 200


@ledger("blob.attachment", "documented", GUIDE)
def test_attachments_and_documents_hold_their_body(org: RunningOrg) -> None:
    account, order = org.create("Account", Name="Holder"), org.create("Garden_Order__c")
    for parent in (account, order):
        made = send(
            org, "POST", "/sobjects/Attachment", {"ParentId": parent, "Name": "n.html", "ContentType": "text/html"},
            "Body", b"<p>",
        )  # fmt: skip
        assert made.status == 201, made.raw
        found = org.data("GET", f"/sobjects/Attachment/{made.json['id']}/Body")
        assert (found.raw, found.headers["content-type"]) == (b"<p>", "text/html")
        assert org.get("Attachment", made.json["id"], "BodyLength")["BodyLength"] == 3
    document = send(
        org, "POST", "/sobjects/Document",
        {"Name": "Marketing Brochure 1", "FolderId": org.ready["user_id"], "Type": "pdf"}, "Body", b"one",
    )  # fmt: skip
    changed = send(
        org, "PATCH", f"/sobjects/Document/{document.json['id']}", {"Name": "Brochure"}, "Body", b"number two"
    )
    row = org.get("Document", document.json["id"])

    assert changed.status == 204, changed.raw
    assert (row["Name"], row["DeveloperName"], row["BodyLength"]) == ("Brochure", "Marketing_Brochure_1", 10)
    assert org.request("GET", row["Body"]).raw == b"number two"
    assert org.data("GET", f"/sobjects/Account/{account}/Attachments?fields=Name").json["totalSize"] == 1


@ledger("blob.versions", "documented", "Object Reference, ContentVersion")
def test_a_first_version_makes_its_document_and_links(org: RunningOrg) -> None:
    account = org.create("Account", Name="Place")
    data = b"version one"

    row = org.get("ContentVersion", upload(org, data, FirstPublishLocationId=account))
    document = org.get("ContentDocument", row["ContentDocumentId"])
    links = org.rows(LINK.format(row["ContentDocumentId"]))

    assert {name: row[name] for name in ("Title", "FileExtension", "FileType", "VersionNumber", "IsLatest")} == {
        "Title": "report.final", "FileExtension": "PDF", "FileType": "PDF", "VersionNumber": "1", "IsLatest": True,
    }  # fmt: skip
    assert row["Checksum"] == hashlib.md5(data).hexdigest()
    assert (document["Title"], document["ContentSize"]) == ("report.final", len(data))
    assert document["LatestPublishedVersionId"] == row["Id"]
    assert {(link["LinkedEntityId"], link["ShareType"]) for link in links} == {
        (org.ready["user_id"], "I"), (account, "V"),
    }  # fmt: skip
    assert org.data("GET", f"/sobjects/Account/{account}/ContentDocumentLinks").json["totalSize"] == 1


def test_a_later_version_takes_the_place_of_the_latest(org: RunningOrg) -> None:
    first = org.get("ContentVersion", upload(org, b"1"))
    document = first["ContentDocumentId"]

    second = upload(org, b"22", ContentDocumentId=document, Title="Renamed", ReasonForChange="better")
    rows = org.rows(
        f"SELECT Id, VersionNumber, IsLatest FROM ContentVersion WHERE ContentDocumentId = '{document}' ORDER BY VersionNumber"
    )

    assert [(row["VersionNumber"], row["IsLatest"]) for row in rows] == [("1", False), ("2", True)]
    found = org.get("ContentDocument", document)
    assert (found["LatestPublishedVersionId"], found["Title"], found["ContentSize"]) == (second, "Renamed", 2)
    assert org.data("GET", f"/sobjects/ContentVersion/{first['Id']}/VersionData").raw == b"1"
    assert org.data("PATCH", f"/sobjects/ContentVersion/{second}", {"Title": "Again"}).status == 204
    assert org.get("ContentDocument", document, "Title")["Title"] == "Again"


def test_a_version_of_a_file_that_is_not_there_is_refused_whole(org: RunningOrg) -> None:
    before = stored(org)
    record = {"PathOnClient": "x", "VersionData": "QQ==", "ContentDocumentId": "069000000000000AAA"}

    assert org.data("POST", "/sobjects/ContentVersion", record).error == "INVALID_CROSS_REFERENCE_KEY"
    assert stored(org) == before


@ledger("blob.delete", "documented", "Object Reference, ContentDocument")
def test_a_deleted_file_is_gone_comes_back_and_lets_go_of_its_bytes_at_last(home: Path) -> None:
    with RunningOrg(home=home) as org:
        version = upload(org, b"x" * 1000)
        other = upload(org, b"x" * 1000)  # the same bytes are kept once
        document = org.get("ContentVersion", version, "ContentDocumentId")["ContentDocumentId"]
        assert stored(org) == (1, 1, 2)

        assert org.data("DELETE", f"/sobjects/ContentDocument/{document}").status == 204
        assert org.data("GET", f"/sobjects/ContentVersion/{version}/VersionData").error == "NOT_FOUND"
        assert org.data("GET", f"/sobjects/ContentVersion/{version}").error == "NOT_FOUND"
        bin_(org, "undelete", "ContentDocument", document)
        assert org.data("GET", f"/sobjects/ContentVersion/{version}/VersionData").raw == b"x" * 1000

        org.data("DELETE", f"/sobjects/ContentDocument/{document}")
        bin_(org, "empty", "ContentDocument", document)
        assert stored(org) == (1, 1, 1)
        assert org.data("GET", f"/sobjects/ContentVersion/{other}/VersionData").status == 200
        document = org.get("ContentVersion", other, "ContentDocumentId")["ContentDocumentId"]
        org.data("DELETE", f"/sobjects/ContentDocument/{document}")
        bin_(org, "empty", "ContentDocument", document)
        assert stored(org) == (0, 0, 0)


def bin_(org: RunningOrg, what: str, sobject: str, record_id: str) -> None:
    from landbridge.access import Access

    server = org.door.server
    entity = server.catalog.get(sobject)
    access = Access(server.org.admin_id)
    call = getattr(server.bin, what)
    org.do(lambda: server.db.write(lambda tx: call(tx, server.catalog, access, entity, record_id), Unit("test")))


def test_new_bytes_take_the_place_of_old_ones(home: Path) -> None:
    with RunningOrg(home=home) as org:
        attachment = org.create("Attachment", ParentId=org.create("Account", Name="x"), Name="n", Body="QQ==")

        assert org.data("PATCH", f"/sobjects/Attachment/{attachment}", {"Body": "Qkk="}).status == 204
        assert stored(org) == (1, 1, 1)
        assert org.data("GET", f"/sobjects/Attachment/{attachment}/Body").raw == b"BI"
        assert org.data("PATCH", f"/sobjects/Attachment/{attachment}", {"Body": None}).error == "REQUIRED_FIELD_MISSING"


@ledger("blob.storage", "documented", "rest.md section 8")
def test_what_files_take_is_counted_in_the_limits(home: Path) -> None:
    with RunningOrg(home=home) as org:
        before = org.data("GET", "/limits").json["FileStorageMB"]
        upload(org, os.urandom(3 * 1024 * 1024))

        assert before["Remaining"] - org.data("GET", "/limits").json["FileStorageMB"]["Remaining"] == 3


@ledger("blob.refused", "guessed", "codes documented, texts guessed")
@pytest.mark.parametrize(
    ("path", "record", "code"),
    [
        ("ContentVersion", {"PathOnClient": "x", "VersionData": "not base64!"}, "JSON_PARSER_ERROR"),
        ("ContentVersion", {"PathOnClient": "x", "VersionData": "QQ=Q"}, "JSON_PARSER_ERROR"),
        ("ContentVersion", {"PathOnClient": "x", "VersionData": {"a": 1}}, "JSON_PARSER_ERROR"),
        ("ContentVersion", {"PathOnClient": "x"}, "REQUIRED_FIELD_MISSING"),
        ("ContentVersion", {"Title": "x", "VersionData": "QQ=="}, "REQUIRED_FIELD_MISSING"),
        ("ContentDocument", {"Title": "x"}, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        ("Attachment", {"Name": "x", "Body": "QQ=="}, "REQUIRED_FIELD_MISSING"),
    ],
)
def test_a_bad_blob_is_refused(org: RunningOrg, path: str, record: dict[str, Any], code: str) -> None:
    before = stored(org)

    assert org.data("POST", f"/sobjects/{path}", record).error == code
    assert stored(org) == before


def test_a_bad_form_is_refused_and_nothing_stays(org: RunningOrg) -> None:
    before, count = stored(org), org.query("SELECT COUNT() FROM ContentVersion").json["totalSize"]
    good, kind = form({"PathOnClient": "x"}, "VersionData", b"data")
    post = "/sobjects/ContentVersion"

    def code(body: bytes, path: str = post) -> str:
        return org.data("POST", path, body, headers={"Content-Type": kind}).error

    assert code(good[:-10]) == "INVALID_MULTIPART_REQUEST"
    assert code(form({"PathOnClient": "x"}, "Body", b"d")[0]) == "INVALID_MULTIPART_REQUEST"
    assert code(form({"Name": "x"}, "Body", b"d")[0], "/sobjects/Account") == "INVALID_MULTIPART_REQUEST"
    assert (
        code(form({"PathOnClient": "x", "VersionData": "QQ=="}, "VersionData", b"d")[0]) == "INVALID_MULTIPART_REQUEST"
    )
    assert code(good.replace(b'{"PathOnClient"', b'{"PathOnClient')) == "JSON_PARSER_ERROR"
    assert code(b"--b--") == "INVALID_MULTIPART_REQUEST"
    assert org.data("GET", "/sobjects/Account/001000000000000AAA/Body").error == "NOT_FOUND"
    assert (stored(org), org.query("SELECT COUNT() FROM ContentVersion").json["totalSize"]) == (before, count)


@pytest.mark.attack("a header smuggled in by a file's content type", "line breaks never get into a header")
def test_a_content_type_brings_no_header_of_its_own(org: RunningOrg) -> None:
    attachment = org.create(
        "Attachment", ParentId=org.create("Account", Name="x"), Name="n", Body="QQ==",
        ContentType="text/html\r\nSet-Cookie: sid=1",
    )  # fmt: skip

    reply = org.data("GET", f"/sobjects/Attachment/{attachment}/Body")

    assert reply.status == 200
    assert "set-cookie" not in reply.headers
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.attack("an upload that stops halfway", "nothing of it is kept")
def test_an_upload_that_stops_halfway_leaves_nothing(org: RunningOrg) -> None:
    body, kind = form({"PathOnClient": "half.bin"}, "VersionData", os.urandom(200_000))
    before = stored(org)

    with socket.create_connection(("127.0.0.1", org.port), timeout=10) as connection:
        connection.sendall(
            f"POST /services/data/v67.0/sobjects/ContentVersion HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            f"Authorization: Bearer {org.ready['access_token']}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body[:100_000]
        )

    assert org.data("GET", "/limits").status == 200
    assert stored(org) == before


@pytest.mark.attack("a download that is left halfway", "the part in hand is let go; the org answers on")
def test_a_download_that_is_left_halfway_harms_nobody(org: RunningOrg) -> None:
    data = os.urandom(8 * 1024 * 1024)
    version = upload(org, data)
    path = f"/services/data/v67.0/sobjects/ContentVersion/{version}/VersionData"
    ask = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {org.ready['access_token']}\r\n\r\n".encode()

    for _ in range(5):
        with socket.create_connection(("127.0.0.1", org.port), timeout=10) as connection:
            connection.sendall(ask)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")

    assert org.request("GET", path).raw == data
    head = org.request("HEAD", path)
    assert (head.status, head.raw) == (200, b"")


def test_a_body_over_the_bound_is_refused(home: Path) -> None:
    with RunningOrg(home=home, max_body=100_000) as org:
        reply = send(org, "POST", "/sobjects/ContentVersion", {"PathOnClient": "x"}, "VersionData", b"x" * 100_000)

        assert (reply.status, reply.error) == (413, "REQUEST_ENTITY_TOO_LARGE")
        assert stored(org) == (0, 0, 0)


@pytest.mark.slow
@ledger("blob.kill", "documented", "our promise: nothing acknowledged is lost")
async def test_acknowledged_files_survive_kill_9_byte_for_byte(tmp_path: Path, home: Path) -> None:
    data, kept = tmp_path / "org", {}
    served = Served(data, home, tmp_path / "ready.json")
    ready = await served.ready()
    port = int(ready["url"].rpartition(":")[2])

    async def client(seed: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(10_000):
            content = f"{seed}/{number}/".encode() * 40_000
            body, kind = form({"PathOnClient": f"{seed}-{number}.txt"}, "VersionData", content)
            head = (
                f"POST /services/data/v67.0/sobjects/ContentVersion HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                f"Authorization: Bearer {ready['access_token']}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            try:
                writer.write(head.encode() + body)
                status = await reader.readuntil(b"\r\n\r\n")
                length = int(status.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                reply = json.loads(await reader.readexactly(length))
            except (ConnectionError, asyncio.IncompleteReadError):
                break
            assert b" 201 " in status, reply
            kept[reply["id"]] = hashlib.sha256(content).hexdigest()
        writer.close()

    clients = [asyncio.ensure_future(client(seed)) for seed in range(4)]
    while len(kept) < 40 and not any(one.done() for one in clients):
        await asyncio.sleep(0)
    served.kill()
    await asyncio.gather(*clients)

    def check() -> None:
        with RunningOrg(data=data, home=home, daily_api_requests=1_000_000) as org:
            rows = org.rows("SELECT Id, ContentDocumentId, IsLatest FROM ContentVersion")
            assert set(kept) <= {row["Id"] for row in rows}
            # Of what was under way at the kill, all of a file is there or nothing.
            assert org.query("SELECT COUNT() FROM ContentDocument").json["totalSize"] == len(rows)
            assert org.query("SELECT COUNT() FROM ContentDocumentLink").json["totalSize"] == len(rows)
            assert stored(org)[::2] == (len(rows), len(rows))
            for record_id, digest in kept.items():
                raw = org.data("GET", f"/sobjects/ContentVersion/{record_id}/VersionData").raw
                assert hashlib.sha256(raw).hexdigest() == digest

    await asyncio.to_thread(check)
