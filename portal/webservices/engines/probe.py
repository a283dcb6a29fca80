"""A health check: one request to a replica on this machine, and what came back."""

import http.client
from dataclasses import dataclass
from time import monotonic

from portal.redaction import Redactor

# Seconds, and bytes of an answer.
TIMEOUT = 2.0
BODY_SHOWN = 200


@dataclass(frozen=True)
class Answer:
    ok: bool
    # None when there was no valid answer.
    status: int | None
    # The start of the body, or what is wrong in words; secrets are out of it.
    said: str
    seconds: float = 0.0


def ask(port: int, *, host: str, path: str, redactor: Redactor, shown: int = BODY_SHOWN) -> Answer:
    """Any answer below 500 on "/" is fine: an application may have nothing there. On a path that a
    maintainer chose, only an answer below 400 is.
    """
    began = monotonic()
    ok, status, said = _ask(port, host, path, redactor, shown)
    return Answer(ok, status, redactor.text(said), monotonic() - began)


def _ask(
    port: int, host: str, path: str, redactor: Redactor, shown: int
) -> tuple[bool, int | None, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host, "User-Agent": "portal"})
        answer = connection.getresponse()
        body = redactor.beginning(answer.read, shown).decode("utf-8", "replace")
        return answer.status < (500 if path == "/" else 400), answer.status, body
    except ConnectionRefusedError:
        said = f"nothing listens on port {port}; the web process has to listen on $PORT"
    except TimeoutError:
        said = f"no answer within {TIMEOUT:g} s"
    except (OSError, http.client.HTTPException) as error:
        said = f"no valid answer: {error or type(error).__name__}"
    finally:
        connection.close()
    return False, None, said
