"""A process with Django in it that does what it is told: `python -m benchmarks.inside <module>`.

It reads one JSON array per line, an order and its values, and answers each with one line of JSON. The orders are the
public functions of the module.
"""

import json
import sys
from importlib import import_module

import django


def main() -> None:
    django.setup()
    orders = import_module(f"benchmarks.inside.{sys.argv[1]}")
    _say("ready")
    for line in sys.stdin:
        order, *values = json.loads(line)
        _say(getattr(orders, order)(*values))


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
