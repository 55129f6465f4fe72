"""Creates, reads, updates and queries over HTTP, durable, authentication and validation on, against the floors and the peer."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from bench import floors, servers
from bench.load import Job
from bench.servers import Running
from bench.table import SECONDS, Section, Table, rounds

SOURCE_FIELDS = {
    "Ext__c": "<externalId>true</externalId><unique>true</unique><length>40</length><type>Text</type>",
    "Batch__c": "<externalId>true</externalId><length>20</length><type>Text</type>",
}
BODY = ('{"Name": "Account name {n}", "Ext__c": "EXT-{n}", "Phone": "+1 555 {n}", "Website": "https://example{n}.com", '
        '"Industry": "Technology", "AnnualRevenue": 1234.5, "NumberOfEmployees": 12}')  # fmt: skip
FIELDS = ("Id,Name,Ext__c,Phone,Website,Industry,AnnualRevenue,NumberOfEmployees,IsDeleted,CreatedDate,LastModifiedDate,"
          "SystemModstamp")  # fmt: skip
DATA = "/services/data/v67.0"


def source(folder: Path) -> Path:
    """A package that gives Account the external id of the yardsticks, and an indexed field to query by."""
    fields = folder / "source" / "objects" / "Account" / "fields"
    fields.mkdir(parents=True)
    for name, inner in SOURCE_FIELDS.items():
        (fields / f"{name}.field-meta.xml").write_text(
            f'<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>{name}</fullName><label>{name}</label>{inner}'
            "</CustomField>"
        )
    return folder / "source"


def requests(table: Table, folder: Path) -> None:
    """Creates, reads, updates and queries over HTTP."""
    floor, cfloor = floors.build("floor"), floors.build("cfloor")
    floors.make_rows(folder / "rows.db")
    with ExitStack() as stack:
        org = stack.enter_context(servers.ours(folder, "--hide", "Account.Fax", source=source(folder)))
        peer = stack.enter_context(servers.fastapi(folder)) if servers.SHARED.is_dir() else None
        raw = stack.enter_context(servers.hello(folder))
        bearer = {"Authorization": f"Bearer {org.ready['access_token']}"}
        table.add("resident after start", org.resident())
        record_id = fill(org, bearer)
        read_only = {"Authorization": f"Bearer {integration(org)}"}
        numbers = iter(range(10_000_000, 10**12, 10_000_000))
        post = Job(0, "POST", f"{DATA}/sobjects/Account", bearer, BODY, 128, SECONDS)
        get = Job(0, "GET", f"{DATA}/sobjects/Account/{record_id}?fields={FIELDS}", bearer, "", 32, SECONDS)
        soql = quote(f"SELECT {FIELDS} FROM Account WHERE Batch__c = 'I1'")
        query = Job(0, "GET", f"{DATA}/query?q={soql}", bearer, "", 2, SECONDS)

        def each(_: int) -> None:
            def numbered(job: Job, **changes: object) -> Job:
                return Job(**{**vars(job), "start": next(numbers), **changes})  # type: ignore[arg-type]

            created = org.load(numbered(post))
            table.add("create", created.rate)
            table.add("create p99", created.p99)
            table.add("create, 1 client", org.load(numbered(post, clients=1)).rate)
            start = next(numbers)
            org.load(numbered(post, start=start))  # what updates and upserts then find
            update = numbered(
                post, method="PATCH", path=f"{DATA}/sobjects/Account/{record_id}", body='{"Phone": "{n}"}'
            )
            table.add("update", org.load(update).rate)
            upsert = numbered(post, method="PATCH", path=f"{DATA}/sobjects/Account/Ext__c/EXT-{{n}}", body='{"Phone": "{n}"}',
                              start=start, seconds=min(SECONDS, 1.5))  # fmt: skip
            table.add("upsert", org.load(upsert).rate)
            table.add("get", org.load(get).rate)
            table.add("hello", raw.load(Job(0, "GET", "/", {}, "", 32, SECONDS)).rate)
            table.add("query rows", org.load(query).rate * 2000)
            table.add("query rows, read-only", org.load(Job(**{**vars(query), "headers": read_only})).rate * 2000)
            if peer is not None:
                peers(table, peer, numbered(post, path="/services/data/v60.0/sobjects/Account"))
            if floor is not None:
                table.add("C floor", floors.inserts(floor, folder))
            if cfloor is not None:
                table.add("C JSON floor", floors.json_rows(cfloor, folder / "rows.db"))

        rounds(each)
        table.add("resident at the end", org.resident())


def peers(table: Table, peer: Running, post: Job) -> None:
    base = "/services/data/v60.0"
    table.add("FastAPI create", peer.load(post).rate)
    table.add(
        "FastAPI get", peer.load(Job(0, "GET", f"{base}/sobjects/Account/001000000000007AAA", {}, "", 32, SECONDS)).rate
    )
    table.add("FastAPI query rows", peer.load(Job(0, "GET", f"{base}/query", {}, "", 2, SECONDS)).rate * 2000)


def fill(org: Running, bearer: dict[str, str]) -> str:
    """2,000 accounts to query by, among 18,000 others; the id of one of them."""
    import json
    import urllib.request
    from concurrent.futures import ThreadPoolExecutor
    from http.client import HTTPConnection

    def some(start: int) -> None:
        connection = HTTPConnection("127.0.0.1", org.port)
        for number in range(start, start + 1000):
            body = BODY.replace("{n}", str(number))[:-1] + f', "Batch__c": "I{number // 2000}"}}'
            connection.request("POST", f"{DATA}/sobjects/Account", body, {**bearer, "Content-Type": "application/json"})
            reply = connection.getresponse()
            assert reply.status == 201, reply.read()
            reply.read()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(0, 20_000, 1000)))
    request = urllib.request.Request(
        f"http://127.0.0.1:{org.port}{DATA}/query?q={quote('SELECT Id FROM Account LIMIT 1')}", headers=bearer
    )
    with urllib.request.urlopen(request) as reply:
        found: str = json.load(reply)["records"][0]["Id"]
    return found


def integration(org: Running) -> str:
    """A session of the read-only user, by SOAP login with what the data folder's credentials say."""
    import json
    import re
    import urllib.request

    folder = Path(f"/proc/{org.process.pid}/cmdline").read_bytes().split(b"\0")
    data = Path(folder[folder.index(b"--data") + 1].decode())
    known = json.loads((data / "credentials").read_text())
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login xmlns="urn:partner.soap.sforce.com">'
        f"<username>{known['integration_username']}</username><password>{known['integration_password']}</password></login>"
        "</e:Body></e:Envelope>"
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{org.port}/services/Soap/u/64.0", body.encode(), {"Content-Type": "text/xml"}
    )
    with urllib.request.urlopen(request) as reply:
        return re.search(rb"<sessionId>([^<]+)<", reply.read())[1].decode()  # type: ignore[index]


SECTION = Section(
    "rows", requests,
    (
        ("create", "req/s, 128 clients, durable"), ("create p99", "ms"), ("create, 1 client", "req/s"), ("update", "req/s"),
        ("upsert", "req/s"), ("get", "req/s, 32 clients"), ("query rows", "rows/s"), ("query rows, read-only", "rows/s"),
        ("hello", "req/s, uvicorn"), ("FastAPI create", "req/s"), ("FastAPI get", "req/s"), ("FastAPI query rows", "rows/s"),
        ("C floor", "rec/s, batches of 128, full"), ("C JSON floor", "rows/s"), ("resident after start", "MB"),
        ("resident at the end", "MB"),
    ),
    (
        ("durable create, 128 clients / FastAPI stack", "create", "FastAPI create", ">= 12 (25)"),
        ("durable create, 128 clients / C floor", "create", "C floor", ">= 0.15 (0.33)"),
        ("get by id / uvicorn hello", "get", "hello", ">= 0.60 (1.0)"),
        ("get by id / FastAPI stack", "get", "FastAPI get", ">= 10"),
        ("query of 2,000 rows / C JSON floor", "query rows", "C JSON floor", ">= 0.75 (1.0)"),
        ("query of 2,000 rows / FastAPI stack", "query rows", "FastAPI query rows", ">= 20"),
        ("query: administrator / read-only user", "query rows", "query rows, read-only", "<= 1.15"),
        ("create / update", "create", "update", "<= 1.5"),
        ("create / upsert", "create", "upsert", "<= 1.5"),
    ),
)  # fmt: skip
