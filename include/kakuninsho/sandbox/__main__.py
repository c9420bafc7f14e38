"""`python -m kakuninsho.sandbox init | serve | advance | status | stop`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from datetime import date
from pathlib import Path

from kakuninsho.sandbox import control
from kakuninsho.sandbox.core_system import first_drop
from kakuninsho.sandbox.errors import SandboxError
from kakuninsho.sandbox.misbehave import DEFAULT_COUNTS, parse
from kakuninsho.sandbox.rates import read_rates
from kakuninsho.sandbox.root import Root, initialise
from kakuninsho.sandbox.server import Server
from kakuninsho.sandbox.world import CLOCKS, Options


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kakuninsho.sandbox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (
        ("init", "make folders and the printer's keys; prints the public files for the insurer"),
        ("serve", "run until stopped"),
        ("advance", "let the days pass up to and including a date"),
        ("status", "date and counts"),
        ("stop", "end a running sandbox"),
    ):
        command = verbs.add_parser(verb, help=text)
        command.add_argument("--root", type=Path, required=True, help="the sandbox's own folder")
        if verb == "advance":
            command.add_argument("--to", type=date.fromisoformat, required=True)
        if verb == "serve":
            command.add_argument("--port", type=int, default=2222, help="on 127.0.0.1; 0 takes a free one")
            command.add_argument("--seed", type=int, required=True)
            command.add_argument("--clock", choices=CLOCKS, default="control")
            command.add_argument(
                "--start", type=date.fromisoformat, help="date of a new root; else that of the first register drop"
            )
            command.add_argument("--acknowledge", choices=("promptly", "daily"), default="promptly")
            command.add_argument("--rates", type=Path, help="JSON file of rates that differ from the defaults")
            command.add_argument(
                "--misbehave",
                action="append",
                default=[],
                metavar="NAME[:count=n][,lot=part]",
                help=", ".join(DEFAULT_COUNTS),
            )
            command.add_argument("--port-file", type=Path, help="where to write the port when it is open")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = _arguments().parse_args(arguments)
    root = Root(given.root.resolve())
    try:
        if given.verb == "init":
            for path in initialise(root):
                print(path)
        elif given.verb == "advance":
            print(json.dumps(control.advance(root.path, given.to)))
        elif given.verb == "status":
            print(json.dumps(control.status(root.path), ensure_ascii=False, indent=1))
        elif given.verb == "stop":
            control.stop(root.path)
        else:
            _serve(root, given)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(root: Root, given: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    options = Options(
        seed=given.seed,
        start=given.start or first_drop(root),
        clock=given.clock,
        acknowledge=given.acknowledge,
        rates=read_rates(given.rates),
        misbehaviours=parse(given.misbehave),
    )
    root.make_folders()

    def announce(port: int) -> None:
        if given.port_file:
            part = given.port_file.with_name(given.port_file.name + ".part")
            part.write_text(f"{port}\n", encoding="ascii")
            part.replace(given.port_file)
        print(f"sandbox: SFTP on 127.0.0.1:{port}", flush=True)

    async def run() -> None:
        await Server(root, given.port, options).run(announce=announce)

    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
