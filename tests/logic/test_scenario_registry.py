"""The registry: one broken file never takes down another, nor its own last good version."""

import pytest

from logic.scenario_registry import ScenarioRegistry, load_registry, reload
from tests.logic.flows import BOOK


def text_of(flow_id: str, version: str = "1.0.0") -> str:
    """A good file."""
    return (
        f"flowspec: 1\nid: {flow_id}\nversion: {version}\nlocale: en\npurpose: test\n"
        "start: hello\nstates:\n  hello: {kind: say, say: [hello], next: bye}\n  bye: {kind: end}\n"
    )


BROKEN = text_of("x").replace("next: bye", "next: bey")


def test_a_broken_file_is_refused_alone() -> None:
    """The others are there, and the refusal says file, line, column and what to do."""
    registry = load_registry({"a.yaml": text_of("a"), "b.yaml": BROKEN, "c.yaml": "\t"}, BOOK)
    assert registry.ids == ("a",)
    assert registry.flows["a"].file == "a.yaml"
    assert registry.get("a") is registry.flows["a"]
    assert registry.get("x") is None
    assert list(registry.refused) == ["b.yaml", "c.yaml"]
    assert str(registry.refused["b.yaml"]) == (
        "b.yaml: refused\n  b.yaml:8:42: FS010 there is no state 'bey'; did you mean 'bye'?"
    )


def test_two_files_with_one_id_are_both_refused() -> None:
    """FS003: nobody can say which was meant; a third with its own id is fine."""
    registry = load_registry({"a.yaml": text_of("x"), "b.yaml": text_of("x"), "c.yaml": text_of("c")}, BOOK)
    assert registry.ids == ("c",)
    assert [str(problem) for refusal in registry.refused.values() for problem in refusal.problems] == [
        "a.yaml:2:5: FS003 the id 'x' is also used by b.yaml; give each scenario its own",
        "b.yaml:2:5: FS003 the id 'x' is also used by a.yaml; give each scenario its own",
    ]


def test_the_registry_is_a_value() -> None:
    """It cannot be changed; reloading gives another one and leaves the old one as it was."""
    old = load_registry({"a.yaml": text_of("a")}, BOOK)
    new = reload(old, {"a.yaml": text_of("a", "2.0.0"), "b.yaml": text_of("b")}, BOOK)
    assert (old.ids, old.flows["a"].version) == (("a",), "1.0.0")
    assert (new.ids, new.flows["a"].version) == (("a", "b"), "2.0.0")
    with pytest.raises(TypeError):
        new.flows["c"] = new.flows["a"]  # type: ignore[index]
    assert ScenarioRegistry().ids == ()


def test_reload_keeps_the_old_version_and_says_so() -> None:
    """Also when it is broken twice in a row; once mended, the new version takes over and the refusal is gone."""
    registry = load_registry({"a.yaml": text_of("a")}, BOOK)
    for _ in range(2):
        registry = reload(registry, {"a.yaml": BROKEN}, BOOK)
        assert registry.flows["a"].version == "1.0.0"
        assert str(registry.refused["a.yaml"]).startswith(
            "a.yaml: refused; version 1.0.0 of 'a' stays in use\n  a.yaml:8:42: FS010"
        )
    registry = reload(registry, {"a.yaml": text_of("a", "1.0.1")}, BOOK)
    assert registry.flows["a"].version == "1.0.1"
    assert registry.refused == {}


def test_reload_drops_what_was_deleted_or_renamed_inside() -> None:
    """A file that is gone takes its scenario along; so does an id that was changed."""
    registry = load_registry({"a.yaml": text_of("a"), "b.yaml": text_of("b")}, BOOK)
    assert reload(registry, {"b.yaml": text_of("c")}, BOOK).ids == ("c",)


def test_reload_with_a_copied_id_keeps_the_running_one() -> None:
    """A copy whose id was forgotten is refused; the original goes on as it was."""
    old = load_registry({"a.yaml": text_of("x")}, BOOK)
    new = reload(old, {"a.yaml": text_of("x", "2.0.0"), "b.yaml": text_of("x")}, BOOK)
    assert (new.ids, new.flows["x"].version, new.flows["x"].file) == (("x",), "1.0.0", "a.yaml")
    assert new.refused["a.yaml"].kept is old.flows["x"]
    assert new.refused["b.yaml"].kept is None


def test_reload_a_kept_version_has_the_older_right_to_its_id() -> None:
    """A broken original is not replaced by a copy that took its id; when the original is deleted, it is."""
    old = load_registry({"a.yaml": text_of("x")}, BOOK)
    new = reload(old, {"a.yaml": BROKEN, "b.yaml": text_of("x", "2.0.0")}, BOOK)
    assert (new.ids, new.flows["x"].file) == (("x",), "a.yaml")
    assert "is also used by a.yaml" in str(new.refused["b.yaml"])
    assert reload(new, {"b.yaml": text_of("x", "2.0.0")}, BOOK).flows["x"].file == "b.yaml"


def test_reload_two_files_that_swap_ids_while_one_breaks() -> None:
    """Keeping one old version can make another file clash, which then keeps its own old version, too."""
    old = load_registry({"a.yaml": text_of("x"), "b.yaml": text_of("y"), "c.yaml": text_of("z")}, BOOK)
    files = {"a.yaml": BROKEN, "b.yaml": text_of("x", "2.0.0"), "c.yaml": text_of("y", "2.0.0")}
    new = reload(old, files, BOOK)
    assert {flow_id: (flow.file, flow.version) for flow_id, flow in new.flows.items()} == {
        "x": ("a.yaml", "1.0.0"),
        "y": ("b.yaml", "1.0.0"),
        "z": ("c.yaml", "1.0.0"),
    }
    assert list(new.refused) == ["a.yaml", "b.yaml", "c.yaml"]
