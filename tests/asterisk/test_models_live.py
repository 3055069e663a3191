"""The checked-in models against the description of a running Asterisk."""

from __future__ import annotations

import json
from typing import Protocol

import pytest

from scripts import generate_ari_models


class Lab(Protocol):
    """What this test needs of the fixture `lab`."""

    base_url: str
    username: str
    password: str


@pytest.mark.asterisk
@pytest.mark.asterisk22
def test_running_asterisk_has_every_model(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No model, required field or field type that we rely on is gone from the running Asterisk."""
    monkeypatch.setenv("LAB_ARI_PASSWORD", lab.password)
    base_url = lab.base_url.rstrip("/")
    if not base_url.endswith("/ari"):
        base_url += "/ari"
    arguments = ["--from", base_url, "--user", lab.username, "--password-env", "LAB_ARI_PASSWORD"]
    code = generate_ari_models.main([*arguments, "--check", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (code, found["missing_models"], found["missing_required_fields"], found["changed_fields"]) == (
        0,
        [],
        [],
        [],
    )
