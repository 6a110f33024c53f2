"""`python -m tests.faults`: disturb the system in every way that the scenarios know, and print what came of it."""

import argparse
import sys
from pathlib import Path

from tests.faults import measure, report
from tests.faults.scenarios import SCENARIOS
from tests.faults.system import running_system


def main() -> int:
    """Run the scenarios; 1 when the promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--messages", type=int, default=32 * len(SCENARIOS), help="over all scenarios")
    parser.add_argument("--write", type=Path, help="where to write the page")
    parser.add_argument("--only", action="append", choices=[scenario.code for scenario in SCENARIOS])
    options = parser.parse_args()
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.code in options.only]
    results = []
    with running_system() as system:
        for scenario in chosen:
            for result in measure.run(system, scenario, options.messages // len(chosen)):
                results.append(result)
                sys.stderr.write(f"{result}\n")
    sys.stdout.write(f"{report.table(results)}\n\n{report.verdict(results)}\n")
    if options.write:
        command = f"python -m tests.faults --messages {options.messages} --write {options.write}"
        options.write.write_text(report.page(results, command))
    return 0 if all(result.keeps_the_promise for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
