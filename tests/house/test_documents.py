"""Documents, requirements, history and samples keep step with the code."""

import re
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest

from tests.house.rules import IMPORT_NAMES, requirement_names
from tests.house.tree import ROOMS, ROOT, git, kept_files

# ------------------------------------------------------------------------------------ dependencies


def _table(text: str) -> dict[str, list[str]]:
    """The rows of the first table, by the first cell."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows[2:]}


def test_dependency_table_names_exactly_what_is_required() -> None:
    """Every runtime dependency has its row, no row is without one, and no cell is empty."""
    table = _table((ROOT / "docs" / "dependencies.md").read_text())

    assert sorted(table) == sorted(requirement_names((ROOT / "requirements.in").read_text()))
    assert [name for name, cells in table.items() if len(cells) != 4 or not all(cells)] == []


def test_a_table_row_is_read_as_written() -> None:
    """The reader of the table sees names and cells, and misses none."""
    text = "x\n| package | why |\n|---|---|\n| a | one |\n| b |  |\n"

    assert _table(text) == {"a": ["one"], "b": [""]}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_lock_pins_every_direct_dependency(name: str) -> None:
    """The lock holds exact versions of all that is asked for, and neither a host name nor a path of a machine."""
    asked = requirement_names((ROOT / f"{name}.in").read_text().replace("-r requirements.in", ""))
    lock = (ROOT / f"{name}.txt").read_text()
    lines = [line for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
    pinned = {match[1].lower() for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)==\S+", line))}

    assert set(asked) - pinned == set()
    assert [line for line in lines if "==" not in line] == []
    assert re.findall(r"://|file:|/root|/home|--(?:extra-)?index-url|--find-links", lock) == []


def test_import_names_belong_to_required_packages() -> None:
    """The table of import names has no entry for a package that is no longer required."""
    assert set(IMPORT_NAMES) - set(requirement_names((ROOT / "requirements.in").read_text())) == set()


# ---------------------------------------------------------------------------------- documents and code


def _packages() -> list[str]:
    """Rooms, and the packages inside the rooms."""
    inside = [path.parent for room in ROOMS for path in (ROOT / room).glob("*/__init__.py")]
    return sorted({*ROOMS, *(path.relative_to(ROOT).as_posix() for path in inside)})


def _missing(packages: list[str], text: str) -> list[str]:
    """Packages that the text does not name: `core/store` as such, or `store` in code marks or with a slash."""

    def named(package: str) -> bool:
        last = package.rpartition("/")[2]
        return package in text or bool(re.search(rf"`{re.escape(last)}/?`|\b{re.escape(last)}/", text))

    return [package for package in packages if not named(package)]


@pytest.mark.parametrize("document", ["README.md", "agent.md"])
def test_document_names_every_package(document: str) -> None:
    """Whoever adds a package tells the two documents that map the tree."""
    if not (ROOT / document).exists():
        pytest.skip(f"there is no {document} yet")

    assert _missing(_packages(), (ROOT / document).read_text()) == []


def test_missing_package_is_noticed() -> None:
    """A package that is not named is found; a passing word that resembles it is not enough."""
    assert _missing(["core", "core/store", "core/http"], "`core/` keeps the store; core/http speaks") == [
        "core/store"
    ]


def _rows(text: str) -> set[str]:
    return set(re.findall(r"\bF-\d{3}\b", text))


def test_requirements_list_has_every_row_of_the_first_three_parts() -> None:
    """docs/requirements.md says of F-001 to F-043 each what became of it."""
    path = ROOT / "docs" / "requirements.md"
    if not path.exists():
        pytest.skip("there is no docs/requirements.md yet")

    assert sorted({f"F-{number:03}" for number in range(1, 44)} - _rows(path.read_text())) == []


TEST_NAME = re.compile(r"`(tests/[^`:]+)::([^`]+)`")


def _tests_missing(text: str) -> list[str]:
    """Tests that the text names and the tree does not have."""
    return [
        f"{file}::{name}"
        for file, name in TEST_NAME.findall(text)
        if not (ROOT / file).is_file()
        or not re.search(rf"^(?:async )?def {re.escape(name)}\(", _text(file), re.MULTILINE)
    ]


def test_requirements_name_tests_that_exist() -> None:
    """Whoever renames a test tells docs/requirements.md."""
    text = (ROOT / "docs" / "requirements.md").read_text()

    assert TEST_NAME.findall(text)
    assert _tests_missing(text) == []


def test_missing_test_is_noticed() -> None:
    """A file or a function that is not there is found, also when a longer name begins alike."""
    here = "tests/house/test_documents.py"

    assert _tests_missing(f"`{here}::test_missing_test_is_noticed`") == []
    assert len(_tests_missing(f"`{here}::test_missing_test` and `tests/none.py::test_x`")) == 2


def test_readme_lists_every_prompt() -> None:
    """Each prompt of the prompt book stands in the README's list."""
    names = re.findall(
        r'^  "?([a-z][a-z0-9_]*)"?:$', (ROOT / "assets/audio/prompts.yaml").read_text(), re.MULTILINE
    )
    readme = (ROOT / "README.md").read_text()

    assert names
    assert [name for name in names if f"| `{name}` |" not in readme] == []


def test_requirement_rows_are_read() -> None:
    """A row is found by its name, and a longer or shorter number is none."""
    assert _rows("| F-001 | x |\n F-0021, F-12 and F-043.") == {"F-001", "F-043"}


# ------------------------------------------------------------------------------------- git and secrets


@pytest.mark.parametrize(
    "path", [".env", ".env.production", "var", "var/engine.db", ".venv", ".venv-3.12/bin", ".lab"]
)
def test_secrets_and_state_are_ignored(path: str) -> None:
    """Git ignores secrets, state and environments."""
    assert git("check-ignore", "--no-index", "--quiet", path).returncode == 0


def test_no_secret_or_state_is_tracked() -> None:
    """Nothing of the kind is in the repository, and the example is not ignored."""
    tracked = git("ls-files", "--", ".env", "var", "logs", ".venv").stdout.split()

    assert tracked == []
    assert git("check-ignore", "--no-index", "--quiet", ".env.example").returncode == 1


SUBJECT = re.compile(r"(?:feat|fix|docs|refactor|chore|test)(?:\([a-z0-9_./-]+\))?!?: \S.*")


def test_commit_subjects_are_conventional() -> None:
    """Every subject starts with one of the six types; a shallow clone or an empty history has fewer to look at."""
    log = git("log", "--no-merges", "--format=%s")
    subjects = log.stdout.splitlines() if log.returncode == 0 else []

    assert [subject for subject in subjects if not SUBJECT.fullmatch(subject)] == []


@pytest.mark.parametrize(
    ("subject", "is_fine"),
    [
        ("feat: dial only with a permit", True),
        ("fix(core/store): keep the outbox in order", True),
        ("refactor!: rename the groups", True),
        ("Feat: dial", False),
        ("wip", False),
        ("feature: dial", False),
        ("fix:no space", False),
        ("perf: faster", False),
    ],
)
def test_commit_subject_pattern(subject: str, is_fine: bool) -> None:
    """The pattern takes the six types with an optional scope, and nothing else."""
    assert bool(SUBJECT.fullmatch(subject)) == is_fine


# ------------------------------------------------------------------------------------- sample numbers

FICTION = re.compile(r"\+1[2-9]\d{2}55501\d{2}|\+447700900\d{3}")
WRITTEN_AS_E164 = re.compile(r"(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){7,14}(?!\d)")
WRITTEN_AS_US = re.compile(r"(?<![\w+.-])\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])")
QUOTED_DIGITS = re.compile(r"""(?<=["'])1?[2-9]\d{2}[2-9]\d{6}(?=["'])|(?<=["'])44\d{10}(?=["'])""")
SAMPLES = (
    "tests/",
    "docs/",
    "scripts/",
    "config/",
    "README",
    "agent.md",
    "prompt.txt",
    ".env.example",
    "assets/",
)


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    """Line and E.164 form of everything that reads like a phone number."""
    for pattern, prefix in ((WRITTEN_AS_E164, "+"), (WRITTEN_AS_US, "+1"), (QUOTED_DIGITS, "")):
        for match in pattern.finditer(text):
            digits = re.sub(r"\D", "", match[0])
            number = prefix + digits if prefix else "+" + (digits if len(digits) > 10 else "1" + digits)
            yield text.count("\n", 0, match.start()) + 1, number


def _real(number: str) -> bool:
    """Whether somebody could have this number. One that no country hands out reaches nobody."""
    try:
        return not FICTION.fullmatch(number) and phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _text(name: str) -> str:
    """The text of a file, or nothing for sound and pictures."""
    raw = (ROOT / name).read_bytes()
    return "" if b"\0" in raw[:4096] else raw.decode("utf-8", "replace")


def test_sample_numbers_are_reserved_for_fiction() -> None:
    """Tests, documents, scripts and scenarios name nobody's number: only +1 NPA 555 01xx and +44 7700 900xxx."""
    files = [
        name
        for name in kept_files()
        if name.startswith(SAMPLES) and name != Path(__file__).relative_to(ROOT).as_posix()
    ]
    found = [
        f"{name}:{line}: {number}"
        for name in files
        for line, number in _numbers(_text(name))
        if _real(number)
    ]

    assert files
    assert found == []


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("call +16502530000 now", True),
        ("call +1 (650) 253-0000", True),
        ("'number': '6502530000'", True),
        ('"16502530000"', True),
        ("(650) 253-0000", True),
        ("650-253-0000", True),
        ("+44 20 7031 3000", True),
        ("+442070313000", True),
        ("+1 202 555 0123", False),
        ("+12025550199", False),
        ("(202) 555-0123", False),
        ("+44 7700 900123", False),
        ("'2025550123'", False),
        ("+12025550200 is past the reserved hundred", True),
        ("+10000000000", False),
        ("0.6502530000", False),
        ("2026-11-20 10:00", False),
        ("id 1763632800000", False),
    ],
)
def test_real_numbers_are_noticed(text: str, real: bool) -> None:
    """A number somebody may have is found however it is written; fiction, dates and ids are left alone."""
    assert any(_real(number) for _, number in _numbers(text)) == real
