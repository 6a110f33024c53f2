"""Measure everything on servers of its own, and write down what came of it: `make bench`.

    python -m benchmarks                          all of it, about half an hour
    python -m benchmarks --short                  tiny sizes: proves that it works, and nothing else
    python -m benchmarks --only delivery pages    these parts

The machine should have nothing else to do. 1 when a part failed; a figure that is not reached is said in the table.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks import machine, report
from benchmarks.environment import OURS, Environment, running
from benchmarks.sizes import FULL, SHORT, Sizes, with_messages

logger = logging.getLogger("benchmarks")

# Each is a module with a function `run(environment) -> list[Figure]`.
PARTS = ("ceiling", "delivery", "single", "acceptance", "enqueueing", "webhooks", "pages", "cleanup", "memory")

WARNING = "**The short form: it proves that everything works, and its numbers mean nothing.**\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 1 when one of them failed."""
    options = _options(arguments)
    logging.basicConfig(format="%(message)s")
    # What ends the benchmark must end what it has started.
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, signal.default_int_handler)
    sizes = _sizes(options)
    chosen = options.only or PARTS
    with running(sizes) as environment:
        described = machine.description(environment.fresh_database("described", OURS))
        results = [_run(environment, part) for part in PARTS if part in chosen]
    for result in results:
        print(f"\n{result.part}\n\n{report.table(result)}")
    print(f"\n{report.required(results)}")
    if options.write:
        command = " ".join(["python -m benchmarks", *(sys.argv[1:] if arguments is None else arguments)])
        about = {"command": command, "rounds": str(sizes.rounds), "warning": WARNING if sizes.is_short else ""}
        options.write.write_text(report.page(results, described, PARTS, about))
    return 1 if any(result.error for result in results) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--messages", type=int, help="of ours and django-post_office at the first latency")
    parser.add_argument("--old-messages", type=int, help="that the cleanup deletes")
    parser.add_argument("--write", type=Path, help="where to write the page")
    return parser.parse_args(arguments)


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = SHORT if options.short else FULL
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    if options.old_messages:
        sizes = replace(sizes, old_rows=options.old_messages)
    return with_messages(sizes, options.messages) if options.messages else sizes


def _run(environment: Environment, part: str) -> report.Result:
    environment.say(part)
    try:
        return report.Result(part, import_module(f"benchmarks.{part}").run(environment))
    except Exception as error:  # the results of the other parts took long to measure
        logger.exception("%s failed", part)
        return report.Result(part, [], f"{type(error).__name__}: {error}".strip().splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
