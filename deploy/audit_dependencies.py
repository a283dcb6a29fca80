"""Ask PyPI's advisory service about every locked package: `python deploy/audit_dependencies.py`.

Ends with 1 for a known vulnerability. Where the service cannot be reached that is said and is no
failure: it tells nothing about the packages.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

LOCKS = [Path("requirements/run.txt"), Path("requirements/dev.txt")]
SECONDS = 300


def audit(lock: Path) -> list[dict]:
    """What pip-audit found out about each package; empty if it could not ask at all."""
    program = shutil.which("pip-audit", path=str(Path(sys.executable).parent)) or "pip-audit"
    argv = [program, "--disable-pip", "--require-hashes", "--format", "json", "-r", str(lock)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS)
    try:
        return json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(done.stderr.strip()[-500:])
        return []


def main() -> int:
    """0 when nothing is known against the packages, or nothing could be learned."""
    bad = 0
    for lock in LOCKS:
        found = audit(lock)
        asked = [each for each in found if "vulns" in each]
        if not asked:
            print(f"{lock}: the advisory service cannot be reached, so NOTHING WAS CHECKED.")
        else:
            print(f"{lock}: {len(asked)} of {len(found)} packages checked.")
        for each in asked:
            for vulnerability in each["vulns"]:
                bad += 1
                mended = ", ".join(vulnerability["fix_versions"]) or "no version"
                package = f"{each['name']} {each['version']}"
                print(f"  {package}: {vulnerability['id']}, mended in {mended}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
