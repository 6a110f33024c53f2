"""Ends well if a web server of this machine answers: python ops/answers.py http://127.0.0.1:8000/healthz

Asks as the proxy does, for the host of PUBLIC_BASE_URL. Needs nothing of the project: it runs every few seconds.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def status(url: str) -> int:
    """The status of the answer. Raises OSError or HTTPException when there is none."""
    asked = urlsplit(url)
    host = urlsplit(os.environ.get("PUBLIC_BASE_URL", "")).netloc or asked.netloc
    connection = HTTPConnection(asked.hostname or "", asked.port, timeout=5)
    connection.request("GET", asked.path or "/", headers={"Host": host, "X-Forwarded-Proto": "https"})
    return connection.getresponse().status


if __name__ == "__main__":
    try:
        found = status(sys.argv[1])
    except (OSError, HTTPException) as error:
        sys.exit(f"{sys.argv[1]} does not answer: {error}")
    if found != 200:
        sys.exit(f"{sys.argv[1]} answers {found}")
