"""The secret scan finds what it should; `make secrets` runs it over the whole tree."""

from pathlib import Path

import pytest

from tests.house.secret_scan import accepted, scan
from tests.house.tree import kept_files

# Put together here, so that the scan does not find this file.
AWS = "AKIA" + "IOSFODNN7EXAMPLQ"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
JWT = (
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N"
)  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("name", "text", "kinds"),
    [
        ("core/planted.py", f"key = '{AWS}'\n", {"AWS Access Key"}),
        ("tests/planted.py", f"key = '{AWS}'\n", {"AWS Access Key"}),
        ("docs/planted.md", f"{KEY}\n", {"Private Key"}),
        ("config/planted.yaml", f"token: {JWT}\n", {"JSON Web Token", "Base64 High Entropy String"}),
        ("core/planted.py", "pass" + "word = 'hunter2-and-more'\n", {"Secret Keyword"}),
        ("tests/planted.py", "pass" + "word = 'hunter2-and-more'\n", set()),
        ("core/planted.py", "password = settings.password\n", set()),
    ],
)
def test_planted_secret_is_found(tmp_path: Path, name: str, text: str, kinds: set[str]) -> None:
    """Each kind of credential is found wherever it stands; a made-up password of a test, or a mere name, is not."""
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(text)
    found = {kind for _, _, kind, _ in scan(tmp_path, [name])}

    assert bool(found) == bool(kinds)
    assert found <= kinds


def test_accepted_alarms_are_about_files_that_exist() -> None:
    """Nobody accepts an alarm for good: it goes with its file."""
    assert {name for name, _, _ in accepted()} - set(kept_files()) == set()
