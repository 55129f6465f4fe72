"""
`landbridge`: the commands and their options.

Options that are settings have no default here: `config.load` lays options over LANDBRIDGE_ variables over landbridge.toml
over the defaults of `config.Settings`, which the help texts name.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from landbridge.errors import LandbridgeError

EPILOG = """\
examples:
  landbridge serve                                    an org in memory on http://localhost:8080
  landbridge serve --data ./org --source ./my-sfdx-project
  landbridge exec -- python script.py                 a program that knows login.salesforce.com alone
  landbridge query "SELECT Id, Name FROM Account LIMIT 5"
  landbridge schema check ./my-sfdx-project

Every option of `serve` can also be set as LANDBRIDGE_OPTION in the environment or as `option` in landbridge.toml.
Secrets belong there: a command line can be read by the machine's other users.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line; the reference in docs/ is checked against it."""
    top = argparse.ArgumentParser(
        prog="landbridge",
        description="A Salesforce org on your laptop: unmodified clients work against it, and it fails on purpose.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    _serve(commands.add_parser("serve", help="start an org", description="Start an org and print how to log in."))
    _exec(
        commands.add_parser(
            "exec",
            help="run a program, unchanged, against an org",
            usage="landbridge exec [options of serve | --org URL] [--only-org] -- COMMAND ...",
            description="Run a program with every *.salesforce.com and *.force.com host led to an org: one of its own, made "
            "as the options of `serve` say, or the one at --org. The exit code is the program's.",
        )
    )
    _query(commands.add_parser("query", help="run a SOQL query", description="Run a SOQL query and print its rows."))
    _import(
        commands.add_parser(
            "import",
            help="load a data plan",
            description="Load records from a plan, or a tree file, as `sf data export tree` writes them.",
        )
    )
    _schema(
        commands.add_parser(
            "schema",
            help="show objects and fields, or check an sfdx project",
            description="Show the org's objects, one object's fields, or (`schema check DIR`) what of an sfdx project "
            "is understood.",
        )
    )
    _credential(
        commands.add_parser(
            "credential",
            help="named credentials: where flows call out to",
            description="Named credentials: where flows call out to, and how they show who they are. Secrets are asked for, "
            "or read from standard input, a variable or a file, never from the command line.",
        )
    )
    _events(
        commands.add_parser(
            "events",
            help="follow events, publish them, choose what is captured",
            description="The org's event bus: follow a topic, see topics and subscriptions, publish, choose whose changes are "
            "announced.",
            epilog=EVENTS_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _callouts(
        commands.add_parser(
            "callouts",
            help="the journal of callouts",
            description="The journal of callouts, newest last: what went out, what came back. The rows are those of "
            "Callout_Log__c; `callouts show ID` shows one whole.",
        )
    )
    _user(commands.add_parser("user", help="add, list, lock users; set passwords",
                              description="The org's users and their passwords."))  # fmt: skip
    _app(commands.add_parser("app", help="add, list and revoke connected apps",
                             description="Connected apps: who may ask for tokens, and how."))  # fmt: skip
    _session(commands.add_parser("session", help="list and revoke sessions",
                                 description="The org's live sessions."))  # fmt: skip
    _flow(commands.add_parser("flow", help="what a flow file does, and what runs",
                              description="Flows: integrations as files, run by `landbridge serve --flow FILE`."))  # fmt: skip
    _dlq(commands.add_parser("dlq", help="dead letters: look, mend, send again", epilog=DLQ_EPILOG,
                             description="Dead letters: deliveries that a flow gave up on, kept whole (Failed_Payload__c).",
                             formatter_class=argparse.RawDescriptionHelpFormatter))  # fmt: skip
    return top


def _serve(command: argparse.ArgumentParser) -> None:
    org = command.add_argument_group("the org")
    org.add_argument("--data", type=Path, metavar="DIR", help="keep the org in this folder (default: in memory)")
    org.add_argument("--memory", action="store_true", help="keep the org in memory, gone at exit (the default)")
    org.add_argument("--source", type=Path, action="append", metavar="DIR",
                     help="load an sfdx project or package folder; repeatable")  # fmt: skip
    org.add_argument("--seed", type=Path, action="append", metavar="PLAN.json",
                     help="load a data plan once; repeatable")  # fmt: skip
    org.add_argument("--flow", type=Path, action="append", metavar="FILE.py",
                     help="run the flows of this file; repeatable")  # fmt: skip
    org.add_argument("--reload", action="store_true", default=None, help="load flow files anew when they change")
    org.add_argument("--allow-drop", action="store_true", default=None,
                     help="let a changed source lose data that the org holds")  # fmt: skip
    org.add_argument(
        "--capture",
        metavar="OBJECT,...",
        help="objects whose changes are announced; kept: `landbridge events capture remove` ends it",
    )
    org.add_argument("--durability", choices=("full", "normal"),
                     help="full: what was answered survives a power cut (default); normal: it survives a crash of "
                     "the process")  # fmt: skip
    door = command.add_argument_group("the front door")
    door.add_argument("--host", help="address to listen on (default 127.0.0.1; others are reachable from outside)")
    door.add_argument("--port", type=int, help="port for HTTP and TLS alike (default 8080; 0 picks a free one)")
    door.add_argument("--pubsub-port", type=int,
                      help="port of the Pub/Sub API, plaintext (default 7442, or a free one with --port 0)")  # fmt: skip
    door.add_argument("--pubsub-tls-port", type=int,
                      help="port of the Pub/Sub API, TLS (default 7443, or a free one with --port 0)")  # fmt: skip
    door.add_argument("--certificates", type=Path, metavar="DIR", help="folder of the local CA and certificate")
    login = command.add_argument_group("logins")
    login.add_argument("--username", help="the administrator (default admin@landbridge.localhost)")
    login.add_argument("--password", help="the administrator's password (drawn when not given)")
    login.add_argument("--security-token", help="the administrator's security token (drawn when not given)")
    login.add_argument("--connected-app", action="append", metavar="CLIENT_ID:CLIENT_SECRET",
                       help="an app that may log in; the first acts as the administrator; repeatable")  # fmt: skip
    login.add_argument("--callback", action="append", metavar="URL",
                       help="where a login in a browser may lead back to, for these apps; a port on localhost may be any; "
                       "repeatable (default http://localhost/callback and /OauthRedirect)")  # fmt: skip
    login.add_argument("--jwt-certificate", type=Path, metavar="FILE",
                       help="certificate or public key with which JWT logins of the first app are checked")  # fmt: skip
    login.add_argument("--access-token", help="a session that is there from the start, for CI")
    login.add_argument("--hide", action="append", metavar="OBJECT.FIELD",
                       help="a field that the read-only integration user does not see; repeatable")  # fmt: skip
    other = command.add_argument_group("other")
    other.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="write how to log in to FILE once the org answers"
    )
    other.add_argument("--log-format", choices=("text", "json"), help="how log lines look (default text)")


def _exec(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the program")
    group.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments, after --"
    )
    group.add_argument("--only-org", action="store_true", help="refuse the program every other host")
    group.add_argument("--org", metavar="URL", help="the org at this URL instead of one of its own")
    _serve(command)


def _where(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which org (default: the one that runs on this machine)")
    group.add_argument(
        "--data", type=Path, metavar="DIR", help="the org in this folder, through its server if it has one"
    )
    group.add_argument("--org", metavar="URL", help="an org at this URL; its token in LANDBRIDGE_ACCESS_TOKEN")


def _query(command: argparse.ArgumentParser) -> None:
    command.add_argument("soql", metavar="SOQL", nargs="?", help='for example "SELECT Id, Name FROM Account"; left out: a '
                         "prompt, or statements on standard input")  # fmt: skip
    command.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how rows are printed")
    command.add_argument("--all-rows", action="store_true", help="deleted records too (queryAll)")
    _where(command)


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("plan", type=Path, metavar="PLAN.json", help="a data plan or a tree file")
    _where(command)


def _schema(command: argparse.ArgumentParser) -> None:
    command.add_argument("object", nargs="?", metavar="OBJECT", help="an object's API name; or `check`")
    command.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="with `check`: an sfdx project")
    _where(command)


def _credential(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    setting = actions.add_parser("set", help="make a credential or change it", epilog=CREDENTIAL_EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    setting.add_argument("name", metavar="NAME", help="letters, digits and underscores")
    target = setting.add_argument_group("where to")
    target.add_argument("--url", help="http or https URL that paths are put behind")
    target.add_argument("--label", help="a name for people")
    target.add_argument("--allow-host", action="append", dest="allowed_hosts", metavar="HOST[:PORT]",
                        help="may be called besides the URL's own host, *.example.com too; repeatable")  # fmt: skip
    target.add_argument("--public-only", action=argparse.BooleanOptionalAction, default=None,
                        help="refuse private, loopback and link-local addresses")  # fmt: skip
    target.add_argument(
        "--enabled", action=argparse.BooleanOptionalAction, default=None, help="whether it sends at all"
    )
    target.add_argument("--http", choices=("auto", "1.1", "2"), help="auto takes HTTP/2 where TLS offers it (default)")
    target.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificate authority to trust besides the system's, PEM"
    )
    who = setting.add_argument_group("who it says it is")
    who.add_argument("--auth", choices=("none", "basic", "bearer", "api-key-header", "api-key-query", "oauth", "jwt",
                                        "mutual-tls", "custom"), help="how it shows who it is (default none)")  # fmt: skip
    who.add_argument("--username", help="for basic")
    who.add_argument("--key-name", help="header or query parameter of an API key")
    who.add_argument("--token-url", help="of the token server, for oauth and exchanged JWTs")
    who.add_argument("--client-id", help="for oauth (client credentials)")
    who.add_argument("--client-in-body", action=argparse.BooleanOptionalAction, default=None,
                     help="oauth: id and secret in the form instead of the Authorization header")  # fmt: skip
    who.add_argument("--scope", help="asked of the token server")
    who.add_argument("--audience", help="for oauth and jwt")
    who.add_argument("--issuer", help="for jwt")
    who.add_argument("--subject", help="for jwt (default: the issuer)")
    who.add_argument("--algorithm", choices=("RS256", "ES256"), help="for jwt (default RS256)")
    who.add_argument("--token-lifetime", type=float, metavar="SECONDS", help="of a JWT (default 300)")
    who.add_argument("--client-certificate", type=Path, metavar="FILE", help="certificate shown to the server, PEM")
    who.add_argument("--header", action="append", dest="headers", metavar="NAME:VALUE",
                     help="sent with every callout; {!Secret} stands for a secret; repeatable")  # fmt: skip
    secret = setting.add_argument_group(
        "secrets (password, token, key, client_secret, private_key, client_key, or your own)"
    )
    secret.add_argument("--secret", action="append", metavar="NAME",
                        help="asked for at a terminal, else a line of standard input each; repeatable")  # fmt: skip
    secret.add_argument(
        "--secret-env", action="append", metavar="NAME=VARIABLE", help="from the environment; repeatable"
    )
    secret.add_argument("--secret-file", action="append", metavar="NAME=FILE", help="a whole file; repeatable")
    secret.add_argument("--forget-secret", action="append", metavar="NAME", help="remove it; repeatable")
    bound = setting.add_argument_group("limits")
    bound.add_argument("--timeout", type=float, metavar="SECONDS", help="of one callout (default 10, at most 120)")
    bound.add_argument("--rate", type=float, metavar="PER_SECOND", help="callouts a second")
    bound.add_argument(
        "--burst", type=int, metavar="N", help="callouts at once after a pause (default: those of a second)"
    )
    bound.add_argument("--concurrency", type=int, metavar="N", help="callouts at a time")
    bound.add_argument("--max-body", type=int, metavar="BYTES", help="of an answer (default 10485760)")
    bound.add_argument("--breaker-failures", type=int, metavar="N",
                       help="failures in 30 s that open the circuit breaker (default 5; 0: never)")  # fmt: skip
    bound.add_argument("--breaker-wait", type=float, metavar="SECONDS", help="before it lets a probe out (default 30)")
    setting.add_argument("--default", action="append", metavar="SETTING",
                         help="take a setting back to what the source says, or the default; repeatable")  # fmt: skip
    _where(setting)
    listing = actions.add_parser("list", help="all of them, with the state of their circuit breakers")
    listing.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how rows are printed")
    _where(listing)
    for action, what in (("show", "one, without its secrets"), ("remove", "forget one and its secrets")):
        one = actions.add_parser(action, help=what)
        one.add_argument("name", metavar="NAME")
        _where(one)
    trial = actions.add_parser("test", help="one callout now: 0 when the answer is 2xx")
    trial.add_argument("name", metavar="NAME")
    trial.add_argument("path", metavar="PATH", nargs="?", default="/", help="behind the URL (default /)")
    trial.add_argument("--method", default="GET", help="default GET")
    _where(trial)


def _user(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="add a user; prints the password that was drawn")
    add.add_argument("username", metavar="USERNAME", help="in the form of an e-mail address")
    add.add_argument("--first-name", help="of the person")
    add.add_argument("--last-name", help="of the person (default: what stands before the @)")
    add.add_argument("--email", help="default: the username")
    add.add_argument(
        "--profile", choices=("admin", "read-only"), help="default admin; read-only: every write is refused"
    )
    password = actions.add_parser("password", help="set a password; prints the one that was drawn, ends other sessions")
    lock = actions.add_parser("lock", help="no more logins; sessions and refresh tokens end")
    lock.add_argument("--off", action="store_true", help="let the user log in again")
    for one in (add, password):
        one.add_argument("--ask-password", action="store_true",
                         help="ask for the password instead of drawing one (a line of standard input in a pipe)")  # fmt: skip
    for one in (password, lock):
        one.add_argument("username", metavar="USERNAME")
    for one in (add, password, lock, _listing(actions)):
        _where(one)


def _app(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="add an app; prints its client id and secret")
    add.add_argument("name", metavar="NAME", help="what people see on the consent page")
    add.add_argument("--client-id", help="drawn when not given")
    add.add_argument(
        "--callback", action="append", metavar="URL", help="where a login in a browser may lead back to; repeatable"
    )
    add.add_argument("--scope", help='what its tokens may be for (default "full refresh_token openid")')
    add.add_argument("--run-as", metavar="USERNAME", help="as whom client credentials act")
    add.add_argument("--certificate", type=Path, metavar="FILE", help="with which its JWTs are checked")
    add.add_argument("--public", action="store_true", help="it keeps no secret: PKCE is required")
    add.add_argument(
        "--rotate", action="store_true", help="a refresh token is for one use; a second use ends the login"
    )
    add.add_argument("--ask", action="store_true", help="users approve it once before a JWT acts for them")
    add.add_argument("--implicit", action="store_true", help="it may take tokens from the fragment (user-agent flow)")
    revoke = actions.add_parser("revoke", help="take an app away, with its sessions and refresh tokens")
    revoke.add_argument("client_id", metavar="CLIENT_ID")
    for one in (add, revoke, _listing(actions)):
        _where(one)


def _session(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    revoke = actions.add_parser("revoke", help="end one")
    revoke.add_argument("id", metavar="ID", help="as `session list` shows it")
    for one in (revoke, _listing(actions)):
        _where(one)


def _listing(actions: Any) -> argparse.ArgumentParser:
    listing: argparse.ArgumentParser = actions.add_parser("list", help="all of them")
    listing.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how rows are printed")
    return listing


def _callouts(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", nargs="?", choices=("list", "show"), default="list", help="default list")
    command.add_argument("id", nargs="?", metavar="ID", help="with `show`: the row's Id")
    command.add_argument("--since", metavar="TIME", help="10m, 2h, 3d before now by the org's clock, or a datetime")
    command.add_argument("--status", metavar="STATUS",
                         help="503, 5xx, failed (all that is not 2xx), or an outcome such as timeout")  # fmt: skip
    command.add_argument("--credential", metavar="NAME", help="of this named credential")
    command.add_argument("--limit", type=int, default=200, metavar="N", help="the newest so many (default 200)")
    command.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how rows are printed")
    _where(command)


EVENTS_EPILOG = """\
examples:
  landbridge events capture add Account Order__c           announce their changes, at once
  landbridge events tail /data/ChangeEvents                follow them; Ctrl-C ends it
  landbridge events tail /event/Order_Event__e --replay -2 --where "Amount__c > 100" --format json
  landbridge events publish Order_Event__e Number__c=A-1 Amount__c=120
  landbridge events subscriptions                          who reads what, and how far behind
"""


def _events(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    tail = actions.add_parser("tail", help="print the events of a topic as they come")
    tail.add_argument("topic", metavar="TOPIC", help="/event/X__e, /data/AccountChangeEvent, /data/ChangeEvents, ...")
    tail.add_argument("--replay", default="-1", metavar="ID",
                      help="-1 new events (default), -2 all that are kept, or go on behind this replay id")  # fmt: skip
    tail.add_argument("--where", metavar="CONDITION", help="only events for which this SOQL condition holds")
    tail.add_argument("--count", type=int, metavar="N", help="end after so many events")
    tail.add_argument(
        "--format", choices=("text", "json"), default="text", help="one line each, or one JSON object each"
    )
    topics = actions.add_parser("topics", help="list the topics that can show something")
    subscriptions = actions.add_parser("subscriptions", help="list who reads what, and how far behind")
    publish = actions.add_parser("publish", help="publish a platform event; prints its uuid")
    publish.add_argument("topic", metavar="EVENT", help="Order_Event__e")
    publish.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="its values; nothing behind = is null")
    capture = actions.add_parser("capture", help="choose whose changes are announced, while the org runs")
    capture.add_argument("change", choices=("list", "add", "remove"), help="what to do")
    capture.add_argument("objects", nargs="*", metavar="OBJECT", help="Account, Order__c; X__e for a channel of events")
    capture.add_argument("--channel", metavar="NAME", help="a custom channel (default: ChangeEvents)")
    capture.add_argument(
        "--where", metavar="CONDITION", help="with add: only events for which this SOQL condition holds"
    )
    for one in (topics, subscriptions, capture):
        one.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how rows are printed")
    for one in (tail, topics, subscriptions, publish, capture):
        _where(one)


CREDENTIAL_EPILOG = """\
examples:
  landbridge credential set ERP --url https://erp.example.com/api --auth bearer        (asks for the token)
  landbridge credential set ERP --secret token < token.txt
  landbridge credential set Shop --url https://shop.example.com --auth oauth --client-id abc \\
      --token-url https://login.example.com/token --secret-env client_secret=SHOP_SECRET
  landbridge credential test ERP /health
"""

DLQ_EPILOG = """\
examples:
  landbridge dlq list --by-cause                           what went wrong, and how often
  landbridge dlq show aLF... --diff-last-good              how it differs from what was delivered last
  landbridge dlq edit aLF... --set Status__c=Packed        mend one field; the original is kept
  landbridge dlq replay --cause 7fc61624372d --dry-run     would it work now?
  landbridge dlq replay --cause 7fc61624372d
  landbridge dlq discard aLF... --reason "test data"
"""


def _flow(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="say what a file does, and what of it will not work in the org")
    check.add_argument(
        "file", type=Path, metavar="FILE.py", help="the flow file; it is loaded here, its code is not sent"
    )
    check.add_argument("--source", type=Path, action="append", metavar="DIR",
                       help="ask an org made of this sfdx project instead of one that runs; repeatable")  # fmt: skip
    check.add_argument("--capture", metavar="OBJECT,...", help="with --source: objects whose changes are announced")
    _where(check)
    shown = actions.add_parser("list", help="the flows that run, how far they are, what waits")
    shown.add_argument("--format", choices=("text", "json"), default="text", help="how it is printed")
    _where(shown)


def _dlq(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="dead letters, oldest first")
    listed.add_argument("--by-cause", action="store_true", help="one row for each cause, with how many there are")
    listed.add_argument("--status", choices=("open", "replaying", "resolved", "discarded", "all"), default="open",
                        help="default open")  # fmt: skip
    listed.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how rows are printed")
    shown = actions.add_parser("show", help="one whole: payload, attempts, what was done to it")
    shown.add_argument("id", metavar="ID")
    shown.add_argument("--diff-last-good", action="store_true", help="how it differs from the event delivered last")
    shown.add_argument("--format", choices=("text", "json"), default="text", help="how it is printed")
    edited = actions.add_parser("edit", help="mend the payload; the original is kept beside it")
    edited.add_argument("id", metavar="ID")
    edited.add_argument("--set", action="append", metavar="FIELD=VALUE",
                        help="change one field value (JSON or text); repeatable. Default: your EDITOR")  # fmt: skip
    edited.add_argument("--file", type=Path, metavar="FILE", help="the whole payload from a file; - is standard input")
    replayed = actions.add_parser("replay", help="send again, in the order of their keys")
    replayed.add_argument("--dry-run", action="store_true", help="run the handlers, write and send nothing")
    discarded = actions.add_parser("discard", help="give up for good; held keys go on")
    discarded.add_argument("--reason", required=True, help="why; kept with the dead letter")
    for many in (replayed, discarded):
        many.add_argument("ids", nargs="*", metavar="ID")
        many.add_argument("--all", action="store_true", help="every open one")
    for chosen in (listed, replayed, discarded):
        chosen.add_argument("--subscription", metavar="NAME", help="of this subscription: FLOW/HANDLER")
        chosen.add_argument("--cause", metavar="FINGERPRINT", help="of this cause")
        chosen.add_argument("--since", metavar="TIME", help="given up since: 10m, 2h, 3d ago, or a datetime")
        chosen.add_argument("--until", metavar="TIME", help="given up before")
        chosen.add_argument("--where", metavar="SOQL", help="any condition on Failed_Payload__c")
    for action in (listed, shown, edited, replayed, discarded):
        _where(action)


_COMMANDS = {
    "flow": ("landbridge.cli.flow", "run"),
    "dlq": ("landbridge.cli.dlq", "run"),
    "serve": ("landbridge.cli.serve", "run"),
    "exec": ("landbridge.cli.exec", "run"),
    "user": ("landbridge.cli.logins", "run"),
    "app": ("landbridge.cli.logins", "run"),
    "session": ("landbridge.cli.logins", "run"),
    "query": ("landbridge.cli.data", "run"),
    "import": ("landbridge.cli.data", "load"),
    "schema": ("landbridge.cli.schema", "run"),
    "credential": ("landbridge.cli.credential", "run"),
    "events": ("landbridge.cli.events", "run"),
    "callouts": ("landbridge.cli.callouts", "run"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 refused or failed, 2 wrong usage."""
    top = parser()
    options = top.parse_args(arguments)
    if options.version:
        from landbridge import __version__  # the package's front imports the server: not for --help

        print(f"landbridge {__version__}")
        return 0
    place = _COMMANDS.get(options.command)
    if place is None:
        top.print_help()
        return 2
    try:
        # Only the chosen command's modules: the server's, the client's and the tables' all cost time at start.
        module, function = place
        code: int = getattr(import_module(module), function)(options)
        return code
    except LandbridgeError as error:
        print(f"landbridge: {error}", file=sys.stderr)
    except ConnectionError as error:
        print(f"landbridge: no org answers there ({error}). Is `landbridge serve` running?", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    return 1
