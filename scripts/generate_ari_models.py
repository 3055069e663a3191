"""Write `core/ari_models.py` from the description a running Asterisk serves of its own ARI, or compare the two.

This file reads, formats, writes and reports; what a description means is in `ari_description`.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __package__ in {None, ""}:  # run by its path, Python looks beside this file and not in the repository
    sys.path.insert(0, str(ROOT))

from scripts.ari_description import (  # noqa: E402 - needs the path above
    Comparison,
    DescriptionError,
    as_list,
    as_object,
    compare,
    parse_description,
    render,
    shape_of_description,
    shape_of_source,
)

OUTPUT = ROOT / "core" / "ari_models.py"
READ_TIMEOUT_S = 10.0


def read_from_url(base_url: str, user: str, password: str) -> tuple[list[Mapping[str, object]], str]:
    """The documents a running Asterisk serves, and its version."""
    if not base_url.startswith(("http://", "https://")):
        raise DescriptionError(f"{base_url}: expected http:// or https://")
    base_url = base_url.rstrip("/")
    token = base64.b64encode(f"{user}:{password}".encode()).decode()

    def get(path: str) -> Mapping[str, object]:
        request = urllib.request.Request(base_url + path, headers={"Authorization": f"Basic {token}"})  # noqa: S310 - scheme checked above
        with urllib.request.urlopen(request, timeout=READ_TIMEOUT_S) as answer:  # noqa: S310 - the same
            return as_object(json.loads(answer.read()), path)

    paths = [
        str(as_object(api, "apis")["path"])
        for api in as_list(get("/api-docs/resources.json")["apis"], "apis")
    ]
    documents = [get(path.replace("{format}", "json")) for path in paths]
    version = str(as_object(get("/asterisk/info")["system"], "system")["version"])
    return documents, re.split(r"[^\d.]", version)[0] or version


def read_from_folder(folder: Path) -> list[Mapping[str, object]]:
    """The documents in a folder; `resources.json`, the list of them, holds no models and adds nothing."""
    documents = [
        as_object(json.loads(path.read_text(encoding="utf-8")), path.name)
        for path in sorted(folder.glob("*.json"))
    ]
    documents = [document for document in documents if "models" in document]
    if not documents:
        raise DescriptionError(f"{folder}: no *.json with models in it")
    return documents


def formatted(source: str) -> str:
    """The source as `ruff format` leaves it, by this repository's settings."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(OUTPUT), "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise DescriptionError(f"ruff format failed: {done.stderr.strip()}")
    return done.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: written, or nothing we rely on is gone; 1: something is; 2: could not be read or written."""
    arguments = _arguments(argv)
    try:
        return _run(arguments)
    except (ValueError, LookupError, SyntaxError, OSError, http.client.HTTPException) as problem:
        print(f"{arguments.source}: {str(problem) or type(problem).__name__}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    output = Path(arguments.output)
    if arguments.source.startswith(("http://", "https://")):
        password = os.environ.get(arguments.password_env, "")
        documents, version = read_from_url(arguments.source, arguments.user, password)
    else:
        documents, version = read_from_folder(Path(arguments.source)), arguments.asterisk_version
    description = parse_description(documents)
    if arguments.check:
        generated = shape_of_source(output.read_text(encoding="utf-8"))
        return _report(compare(generated, shape_of_description(description)), version, as_json=arguments.json)
    if not version:
        print("a folder does not tell the version: add --asterisk-version", file=sys.stderr)
        return 2
    output.write_text(formatted(render(description, version)), encoding="utf-8")
    summary = {
        "path": str(output),
        "asterisk": version,
        "models": len(description.models),
        "events": sum(description.is_event(name) for name in description.models),
        "operations": len(description.operations),
    }
    print(
        json.dumps(summary)
        if arguments.json
        else " ".join(f"{key}={value}" for key, value in summary.items())
    )
    return 0


def _report(comparison: Comparison, version: str, *, as_json: bool) -> int:
    found = asdict(comparison)
    if as_json:
        print(json.dumps({"asterisk": version, "is_breaking": comparison.is_breaking, **found}))
    else:
        for kind, names in found.items():
            for name in names:
                print(f"{kind.replace('_', ' ').removesuffix('s')}: {name}")
        if not any(found.values()):
            print("the models are what this Asterisk describes")
    return 1 if comparison.is_breaking else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write core/ari_models.py from an Asterisk's description of its ARI, or compare the two.",
        epilog="example: ARI_PASSWORD=... python -m scripts.generate_ari_models --from http://127.0.0.1:8088/ari "
        "--user lk --password-env ARI_PASSWORD --check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="URL_OR_DIR",
        help="http://HOST:PORT/ari, or its *.json",
    )
    parser.add_argument("--user", default="", help="ARI user")
    parser.add_argument(
        "--password-env", default="ARI_PASSWORD", metavar="VAR", help="variable that holds the password"
    )
    parser.add_argument("--asterisk-version", default="", help="the version a folder's files came from")
    parser.add_argument(
        "--output", default=str(OUTPUT), help="the generated file (default: core/ari_models.py)"
    )
    parser.add_argument(
        "--check", action="store_true", help="compare, write nothing; exit 1 if something is gone"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
