"""Looks for credentials in every file git would keep, without a network: `python -m tests.house.secret_scan`.

Uses detect-secrets with all its detectors; in tests the one that judges by the name of a variable is left out, as
their passwords are made up. A false alarm gets `# pragma: allowlist secret` on its line or, where a comment has no
place, an entry of .secrets.baseline (`python -m tests.house.secret_scan --accept`, then read the difference).
"""

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings, transient_settings

from tests.house.tree import ROOT, kept_files

BASELINE = ROOT / ".secrets.baseline"
NOT_SECRETS = {"IPPublicDetector"}  # an address is no credential
MADE_UP_IN_TESTS = {"KeywordDetector"}
NOT_READ = {".secrets.baseline"}

Alarm = tuple[str, int, str, str]  # file, line, kind, hash of the secret


def scan(root: Path, names: Iterable[str]) -> list[Alarm]:
    """Return every alarm in these files."""
    with default_settings() as everything:
        plugins: list[dict[str, Any]] = everything.json()["plugins_used"]
    found = []
    for name in names:
        left_out = NOT_SECRETS | (MADE_UP_IN_TESTS if name.startswith("tests/") else set())
        with transient_settings(
            {"plugins_used": [plugin for plugin in plugins if plugin["name"] not in left_out]}
        ):
            found += [(name, s.line_number, s.type, s.secret_hash) for s in scan_file(str(root / name))]
    return sorted(set(found))


def accepted(baseline: Path = BASELINE) -> set[tuple[str, str, str]]:
    """Return the alarms that somebody has looked at: file, kind, hash."""
    if not baseline.exists():
        return set()
    return {tuple(entry) for entry in json.loads(baseline.read_text())["accepted"]}


def main(arguments: list[str]) -> int:
    """Scan the tree on two processes; 0 when nothing new is found."""
    names = [name for name in kept_files() if name not in NOT_READ]
    if not names:
        print("secrets: git lists no file here, so nothing was scanned", file=sys.stderr)
        return 2
    names.sort(
        key=lambda name: -(ROOT / name).stat().st_size
    )  # the large ones first, so that both end together
    with ProcessPoolExecutor(2) as pool:
        alarms = [
            alarm
            for part in pool.map(scan, [ROOT] * len(names), [[name] for name in names])
            for alarm in part
        ]
    if "--accept" in arguments:
        entries = sorted({(name, kind, digest) for name, _, kind, digest in alarms})
        BASELINE.write_text(json.dumps({"accepted": entries}, indent=1) + "\n")
        print(f"secrets: {len(entries)} alarms accepted in {BASELINE.name}; read them before you commit")
        return 0
    known = accepted()
    new = [(name, line, kind) for name, line, kind, digest in alarms if (name, kind, digest) not in known]
    for name, line, kind in new:
        print(f"{name}:{line}: {kind}")
    print(f"secrets: {len(names)} files, {len(new)} new" if new else f"secrets: {len(names)} files, none")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
