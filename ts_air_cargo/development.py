"""`make run`: the whole system on one machine, until Ctrl-C.

PostgreSQL, Valkey, web, worker, beat, the watch over them, Flower and the sandbox. The ports can be changed: WEB_PORT,
SANDBOX_PORT, FLOWER_PORT.
"""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass

from honcho.manager import Manager

from ts_air_cargo import embedded


@dataclass(frozen=True)
class Ports:
    web: int
    sandbox: int
    flower: int


def main() -> int:
    """Run until Ctrl-C; the exit code."""
    given = {name: os.environ.get(name, default) for name, default in _PORTS.items()}
    wrong = [name for name, text in given.items() if not text.isdecimal() or int(text) not in range(1, 65536)]
    for name in wrong:
        print(f"{name} must be a port from 1 to 65535; “{given[name]}” is not.", file=sys.stderr)
    if wrong:
        return 1
    ports = Ports(*map(int, given.values()))
    taken = [(name, port) for name, port in zip(_PORTS, vars(ports).values(), strict=True) if _is_taken(port)]
    for name, port in taken:
        print(f"Port {port} is taken by another program.", file=sys.stderr)
        print(f"Stop that program, or choose another port: make run {name}={port + 1}", file=sys.stderr)
    if taken:
        return 1
    os.environ.update(_environment(ports))
    for command in ("migrate --verbosity 0", "seed_demo"):
        subprocess.run([sys.executable, "manage.py", *command.split()], check=True)
    _print_addresses(ports)
    return _run_processes(ports)


_PORTS = {"WEB_PORT": "8000", "SANDBOX_PORT": "8900", "FLOWER_PORT": "5555"}


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _environment(ports: Ports) -> dict[str, str]:
    """What the processes share. The addresses are given, so that this process alone holds the embedded servers."""
    given = os.environ
    return {
        "DATABASE_URL": given.get("DATABASE_URL") or embedded.database_url(),
        "REDIS_URL": given.get("REDIS_URL") or embedded.redis_url(),
        "PUBLIC_BASE_URL": given.get("PUBLIC_BASE_URL") or f"http://127.0.0.1:{ports.web}",
        "WHATSAPP_CLOUD_API_URL": given.get("WHATSAPP_CLOUD_API_URL") or f"http://127.0.0.1:{ports.sandbox}",
        "PYTHONUNBUFFERED": "1",
    }


def _run_processes(ports: Ports) -> int:
    manager = Manager()
    commands = {
        "web": f"python manage.py runserver {ports.web}",
        "worker": "celery -A ts_air_cargo worker -l info",
        "beat": "celery -A ts_air_cargo beat -l info",
        "watch": "python manage.py watch_whatsapp",
        "flower": f"celery -A ts_air_cargo flower --address=127.0.0.1 --port={ports.flower}",
        "sandbox": f"python manage.py sandbox --keep-window --port {ports.sandbox}",
    }
    for name, command in commands.items():
        manager.add_process(name, f"exec {command}", env=dict(os.environ))
    manager.loop()
    # Ctrl-C is how one leaves: no failure.
    return 0 if manager.returncode in (None, 130, 143) else int(manager.returncode)


def _print_addresses(ports: Ports) -> None:
    # Imported here: the settings need the environment that main() has just made.
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")
    django.setup()
    from ts_air_cargo import demo

    print(f"\n  TS Air Cargo      http://127.0.0.1:{ports.web}/")
    print(f"  WhatsApp sandbox  http://127.0.0.1:{ports.sandbox}/")
    print(f"  Flower            http://127.0.0.1:{ports.flower}/\n")
    print(f"  Log in with (password of all: {demo.PASSWORD})")
    for account in demo.ACCOUNTS:
        role = "superuser" if account.is_superuser else account.role
        print(f"    {account.telephone:<16} {role:<12} {account.first_name} {account.last_name}")
    print("\n  Ctrl-C stops everything.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
