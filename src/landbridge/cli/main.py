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
    return top


def _serve(command: argparse.ArgumentParser) -> None:
    org = command.add_argument_group("the org")
    org.add_argument("--data", type=Path, metavar="DIR", help="keep the org in this folder (default: in memory)")
    org.add_argument("--memory", action="store_true", help="keep the org in memory, gone at exit (the default)")
    org.add_argument("--source", type=Path, action="append", metavar="DIR",
                     help="load an sfdx project or package folder; repeatable")  # fmt: skip
    org.add_argument("--seed", type=Path, action="append", metavar="PLAN.json",
                     help="load a data plan once; repeatable")  # fmt: skip
    org.add_argument("--allow-drop", action="store_true", default=None,
                     help="let a changed source lose data that the org holds")  # fmt: skip
    org.add_argument("--capture", metavar="OBJECT,...", help="objects whose changes are announced (kept for Events)")
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


_COMMANDS = {
    "serve": ("landbridge.cli.serve", "run"),
    "exec": ("landbridge.cli.exec", "run"),
    "query": ("landbridge.cli.data", "run"),
    "import": ("landbridge.cli.data", "load"),
    "schema": ("landbridge.cli.schema", "run"),
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
