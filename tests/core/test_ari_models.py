"""What a real Asterisk sent becomes typed values, what it might send harms nobody, and the generator tells what changed."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import ari_models
from core.ari_fields import ModelError, Subjects, UnknownEvent
from core.ari_models import EVENT_TYPES, Channel, ChannelDestroyed, Dial, Event, parse_event
from scripts import generate_ari_models
from scripts.ari_description import (
    LENIENT,
    DescriptionError,
    compare,
    parse_description,
    render,
    shape_of_description,
    shape_of_source,
)

DATA = Path(__file__).parent / "data"
EVENTS: list[dict[str, Any]] = json.loads((DATA / "events-22.10.1.json").read_text(encoding="utf-8"))
RESOURCES: dict[str, dict[str, Any]] = json.loads(
    (DATA / "resources-22.10.1.json").read_text(encoding="utf-8")
)

# ------------------------------------------------------------------------------------------------- helpers


def event(kind: str, **changes: object) -> dict[str, Any]:
    """The first captured event of a type, with fields changed."""
    found = next(sample for sample in EVENTS if sample["type"] == kind)
    return {**copy.deepcopy(found), **changes}


def channel(channel_id: str) -> dict[str, Any]:
    """A captured channel under another id."""
    return {**RESOURCES["Channel"], "id": channel_id}


def bridge(bridge_id: str) -> dict[str, Any]:
    """A captured bridge under another id."""
    return {**RESOURCES["Bridge"], "id": bridge_id}


def minimal(model: type[Any]) -> dict[str, object]:
    """The smallest JSON a model's annotations allow."""
    hints = get_type_hints(model)
    required = [spec.name for spec in fields(model) if not _takes_none(hints[spec.name])]
    sample = {name.removesuffix("_"): _minimal_value(hints[name]) for name in required}
    return {**sample, "type": model.__name__} if issubclass(model, Event) else sample


def _takes_none(hint: object) -> bool:
    return isinstance(hint, UnionType) and NoneType in get_args(hint)


def _minimal_value(hint: Any) -> object:
    if get_origin(hint) is tuple:
        return []
    if get_origin(hint) is Mapping:
        return {}
    plain = {str: "x", int: 1, float: 1.5, bool: True}
    return plain[hint] if hint in plain else minimal(hint)


def as_json(value: object) -> object:
    """A model's fields as Asterisk would send them: absent ones left out."""
    if isinstance(value, Mapping):
        return {key.removesuffix("_"): as_json(item) for key, item in value.items() if item is not None}
    return [as_json(item) for item in value] if isinstance(value, tuple) else value


# ------------------------------------------------------------------------------------------------ real events


@pytest.mark.parametrize("sample", EVENTS, ids=lambda sample: str(sample["type"]))
def test_captured_event_keeps_everything(sample: dict[str, Any]) -> None:
    """Every captured event becomes its class, and nothing it carried is lost."""
    parsed = parse_event(sample)
    assert isinstance(parsed, EVENT_TYPES[sample["type"]])
    assert as_json(asdict(parsed)) == sample


@pytest.mark.parametrize("label", RESOURCES)
def test_captured_resource_keeps_everything(label: str) -> None:
    """Every captured answer of the REST side becomes its class, and nothing it carried is lost."""
    model = getattr(ari_models, label.split(maxsplit=1)[0])
    assert as_json(asdict(model.from_json(RESOURCES[label]))) == RESOURCES[label]


def test_started_call_has_typed_values() -> None:
    """A StasisStart gives its arguments as a tuple and its channel down to the caller's number."""
    started = parse_event(event("StasisStart"))
    assert isinstance(started, ari_models.StasisStart)
    assert started.args == ("one", "two")
    assert started.channel.caller.number == "+15550100"
    assert started.channel.dialplan.priority == 1
    assert started.replace_channel is None
    assert started.type == "StasisStart"


def test_older_asterisk_may_omit_later_fields() -> None:
    """What joined ARI later is defaulted, at every place the generator's table names."""
    sample = event("StasisStart")
    del sample["asterisk_id"], sample["channel"]["protocol_id"]
    del sample["channel"]["dialplan"]["app_name"], sample["channel"]["dialplan"]["app_data"]
    started = parse_event(sample)
    assert isinstance(started, ari_models.StasisStart)
    assert (started.asterisk_id, started.channel.protocol_id, started.channel.caller_rdnis) == (
        None,
        "",
        None,
    )
    for name, json_field in LENIENT:
        model = getattr(ari_models, name)
        resource = {key: value for key, value in minimal(model).items() if key != json_field}
        assert getattr(model.from_json(resource), json_field) in ("", ())


@pytest.mark.parametrize(("sent", "got"), [(480, 480), ("480", 480), ("-1", -1), (None, None)])
def test_technology_cause_as_number_or_digits(sent: object, got: int | None) -> None:
    """A SIP cause is a number however the channel driver wrote it."""
    destroyed = parse_event(event("ChannelDestroyed", tech_cause=sent))
    assert isinstance(destroyed, ChannelDestroyed)
    assert destroyed.tech_cause == got


def test_unknown_fields_are_ignored() -> None:
    """A newer Asterisk may say more than we know."""
    sample = event("StasisStart", tomorrow={"a": 1})
    sample["channel"]["tomorrow"] = [1]
    assert parse_event(sample) == parse_event(event("StasisStart"))


@pytest.mark.parametrize("kind", ["NotYetInvented", "MissingParams", "Event", "", None, 5, ["StasisStart"]])
def test_unknown_type_survives(kind: object) -> None:
    """An event of an unknown type, of a base type, or of none is kept whole, and concerns nobody."""
    sample = event("StasisStart", type=kind)
    unknown = parse_event(sample)
    assert unknown == UnknownEvent(type=kind if isinstance(kind, str) else "", raw=sample)
    assert unknown.subjects() == Subjects()
    assert parse_event({}) == UnknownEvent(type="", raw={})


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_type_from_its_minimum(kind: str) -> None:
    """Each type parses from its required fields alone, comes back from its own JSON, and names its subjects."""
    parsed = parse_event(minimal(EVENT_TYPES[kind]))
    assert type(parsed) is EVENT_TYPES[kind]
    assert parsed.type == kind
    sent = as_json(asdict(parsed))
    assert isinstance(sent, dict)
    assert parse_event(sent) == parsed
    assert isinstance(parsed.subjects(), Subjects)


def test_word_of_the_language_as_field() -> None:
    """`from` is Asterisk's name for a sender and no name in Python."""
    message = ari_models.TextMessage.from_json({"from": "a", "to": "b", "body": "c"})
    assert (message.from_, message.to) == ("a", "b")


def test_models_are_values() -> None:
    """Models cannot be changed, have no room for more, compare by value, and can be copied and pickled."""
    parsed = parse_event(event("ChannelDestroyed"))
    assert isinstance(parsed, ChannelDestroyed)
    with pytest.raises(FrozenInstanceError):
        parsed.cause = 1  # type: ignore[misc]
    assert not hasattr(parsed, "__dict__")
    assert pickle.loads(pickle.dumps(parsed)) == parsed  # noqa: S301 - our own bytes
    assert replace(parsed, cause=1).cause == 1
    with pytest.raises(TypeError, match="positional"):
        ari_models.CallerID("Sample", "+15550100")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="number"):
        ari_models.CallerID(name="Sample")  # type: ignore[call-arg]


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (["channel", "id"], None, "Channel.id: missing"),
        (["channel", "id"], 7, "Channel.id: expected a string, got int"),
        (
            ["channel", "dialplan", "priority"],
            True,
            "DialplanCEP.priority: expected a whole number, got bool",
        ),
        (["channel", "caller"], "x", "Channel.caller: expected an object, got str"),
        (["channel"], None, "StasisStart.channel: missing"),
        (["args"], "one", "StasisStart.args: expected a list of strings, got str"),
        (["args"], ["one", 2], "StasisStart.args: expected a list of strings, got int in it"),
        (["timestamp"], None, "StasisStart.timestamp: missing"),
    ],
)
def test_error_names_model_and_field(path: list[str], value: object, complaint: str) -> None:
    """What does not fit is refused by model and field; the value, perhaps a telephone number, is not repeated."""
    sample = event("StasisStart")
    inner = sample
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ModelError) as caught:
        parse_event(sample)
    assert str(caught.value) == complaint
    assert f"{caught.value.model}.{caught.value.field}: {caught.value.problem}" == complaint
    restored = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert str(restored) == complaint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in pairs for path in _paths(item, (*at, key)))] if at or pairs else [at]


@st.composite
def disturbed(draw: st.DrawFn) -> dict[str, Any]:
    """A captured event with some of its values replaced by anything."""
    sample: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(EVENTS)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([path for path in _paths(sample) if path]))
        inner: Any = sample
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = draw(JSON)
    return sample


def _holds(data: dict[str, Any]) -> None:
    try:
        parsed = parse_event(data)
    except ModelError:
        return
    assert isinstance(parsed, Event | UnknownEvent)
    subjects = parsed.subjects()
    for ids in asdict(subjects).values():
        assert all(isinstance(i, str) for i in ids)
        assert len(set(ids)) == len(ids)


@given(disturbed())
@settings(deadline=None)
def test_disturbed_event_parses_or_is_refused(data: dict[str, Any]) -> None:
    """A real event with anything anywhere parses, is unknown, or raises ModelError; nothing else."""
    _holds(data)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5), st.sampled_from(["", *EVENT_TYPES]))
@settings(deadline=None)
def test_any_object_parses_or_is_refused(data: dict[str, Any], kind: str) -> None:
    """Any JSON object, with the type of an event or without, parses, is unknown, or raises ModelError."""
    _holds({**data, "type": kind} if kind else data)


@given(JSON, st.sampled_from(sorted(RESOURCES)), st.data())
@settings(deadline=None)
def test_any_resource_parses_or_is_refused(value: object, label: str, data: st.DataObject) -> None:
    """A resource with anything in one of its fields parses or raises ModelError; nothing else."""
    resource = RESOURCES[label]
    model = getattr(ari_models, label.split(maxsplit=1)[0])
    try:
        parsed = model.from_json({**resource, data.draw(st.sampled_from(sorted(resource))): value})
    except ModelError:
        return
    assert isinstance(parsed, model)


def test_number_too_large_is_refused() -> None:
    """A number no float can hold is the sender's mistake, not a crash; a whole number is a number."""
    info = {"name": "", "default_language": "en", "setid": {"user": "", "group": ""}}
    assert ari_models.ConfigInfo.from_json({**info, "max_load": 2}).max_load == 2.0
    for load in (10**400, True, "2"):
        with pytest.raises(ModelError, match=r"ConfigInfo\.max_load"):
            ari_models.ConfigInfo.from_json({**info, "max_load": load})


# -------------------------------------------------------------------------------------------------- subjects


def _playback(target: str) -> dict[str, Any]:
    return event("PlaybackFinished", playback={**RESOURCES["Playback"], "id": "p", "target_uri": target})


def _recording(target: str) -> dict[str, Any]:
    recording = {**RESOURCES["LiveRecording"], "name": "r", "target_uri": target}
    return event("RecordingFinished", recording=recording)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (event("StasisStart", channel=channel("a")), Subjects(("a",))),
        (
            event("StasisStart", channel=channel("a"), replace_channel=channel("b")),
            Subjects(("a", "b")),
        ),
        (event("ChannelDestroyed", channel=channel("a")), Subjects(("a",))),
        (event("Dial", peer=channel("b")), Subjects(("b",))),
        (
            event("Dial", caller=channel("a"), peer=channel("b"), forwarded=channel("c")),
            Subjects(("a", "b", "c")),
        ),
        (event("Dial", caller=channel("a"), peer=channel("a")), Subjects(("a",))),
        (event("ChannelEnteredBridge", bridge=bridge("x"), channel=channel("a")), Subjects(("a",), ("x",))),
        (event("ChannelEnteredBridge", bridge=bridge("x"), channel=None), Subjects((), ("x",))),
        (event("BridgeDestroyed", bridge=bridge("x")), Subjects((), ("x",))),
        (
            event("BridgeDestroyed", type="BridgeMerged", bridge=bridge("x"), bridge_from=bridge("y")),
            Subjects((), ("x", "y")),
        ),
        (
            event("BridgeVideoSourceChanged", bridge=bridge("x"), old_video_source_id="a"),
            Subjects(("a",), ("x",)),
        ),
        (_playback("channel:a"), Subjects(("a",), (), ("p",))),
        (_playback("bridge:x"), Subjects((), ("x",), ("p",))),
        (_playback("endpoint:PJSIP/lead"), Subjects((), (), ("p",))),
        (_recording("bridge:x:y"), Subjects((), ("x:y",), (), ("r",))),
        (_recording("channel:a"), Subjects(("a",), (), (), ("r",))),
        (event("DeviceStateChanged"), Subjects()),
        (event("RESTResponse"), Subjects()),
        (event("ChannelVarset", channel=None), Subjects()),
    ],
)
def test_subjects_of_main_events(data: dict[str, Any], expected: Subjects) -> None:
    """Every channel, bridge, playback and recording an event names is among its subjects, once, in order."""
    assert parse_event(data).subjects() == expected


def test_subjects_deep_inside_a_transfer() -> None:
    """A transfer names its subjects two levels down; all of them are found."""
    sample = {
        **minimal(ari_models.ChannelTransfer),
        "refer_to": {
            "requested_destination": {},
            "destination_channel": channel("b"),
            "bridge": bridge("x"),
        },
        "referred_by": {"source_channel": channel("a"), "bridge": bridge("x")},
    }
    assert parse_event(sample).subjects() == Subjects(("b", "a"), ("x",))


def test_every_channel_an_event_holds_is_a_subject() -> None:
    """No event type has a channel field of its own that its subjects forget."""
    for kind, model in EVENT_TYPES.items():
        hints = get_type_hints(model)
        names = [name for name, hint in hints.items() if hint is Channel or Channel in get_args(hint)]
        sample = {**minimal(model), **{name: channel(f"id-{name}") for name in names}}
        assert {f"id-{name}" for name in names} <= set(parse_event(sample).subjects().channel_ids), kind


# ------------------------------------------------------------------------------------------------- generator

INVENTED: dict[str, Any] = {
    "apis": [
        {"path": "/channels/{channelId}", "operations": [{"httpMethod": "GET"}, {"httpMethod": "DELETE"}]}
    ],
    "models": {
        "Message": {"properties": {"type": {"type": "string", "required": True}}, "subTypes": ["Event"]},
        "Event": {
            "properties": {"application": {"type": "string", "required": True}},
            "subTypes": ["ChannelSang"],
        },
        "ChannelSang": {
            "properties": {
                "channel": {"type": "Channel", "required": True},
                "class": {"type": "string", "required": True},
                "pitch-hz": {"type": "double"},
                "data": {"type": "List[string]", "required": True},
                "verses": {"type": "List[Verse]"},
                "number": {"type": "long", "required": True},
                "str": {"type": "boolean"},
            }
        },
        "Channel": {
            "properties": {
                "id": {"type": "string", "required": True},
                "protocol_id": {"type": "string", "required": True},
            }
        },
        "Verse": {"properties": {"text": {"type": "object", "required": True}}},
        "Silence": {"properties": {}},
    },
}


def invented(**models: object) -> dict[str, Any]:
    """The invented description with models replaced or, where None, removed."""
    changed = {**INVENTED["models"], **models}
    return {**INVENTED, "models": {name: model for name, model in changed.items() if model is not None}}


def source(document: dict[str, Any]) -> str:
    """The source generated from one document."""
    return render(parse_description([document]), "1.2.3")


def test_generated_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """From an invented description comes a module that parses what was invented, whatever its fields are called."""
    module = ModuleType("invented_models")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
    exec(compile(source(INVENTED), "invented_models.py", "exec"), module.__dict__)  # noqa: S102 - ours
    sang = module.parse_event(
        {
            "type": "ChannelSang",
            "application": "lk",
            "channel": {"id": "a"},
            "class": "alto",
            "pitch-hz": 440,
            "data": ["la"],
            "verses": [{"text": {"en": "la"}}],
            "number": 3,
        }
    )
    assert (sang.class_, sang.pitch_hz, sang.data, sang.number, sang.str_) == (
        "alto",
        440.0,
        ("la",),
        3,
        None,
    )
    assert sang.verses == (module.Verse(text={"en": "la"}),)
    assert sang.subjects() == Subjects(("a",))
    assert module.Silence.from_json({"x": 1}) == module.Silence()
    assert sorted(module.OPERATIONS) == ["DELETE /channels/{channelId}", "GET /channels/{channelId}"]
    assert module.__doc__ is not None
    assert "1.2.3: do not edit" in module.__doc__


def test_generation_is_deterministic() -> None:
    """The order in which Asterisk lists its models does not change the text."""
    shuffled = {**INVENTED, "models": dict(reversed(INVENTED["models"].items()))}
    assert source(shuffled) == source(INVENTED)


def test_source_and_description_have_one_shape() -> None:
    """A module compared with the description it came from shows no difference."""
    same = compare(shape_of_source(source(INVENTED)), shape_of_description(parse_description([INVENTED])))
    assert not any(asdict(same).values())
    assert not same.is_breaking


def test_checked_in_models_are_generated() -> None:
    """The file in the repository is code the generator's reader understands, with every event in it."""
    text = Path(ari_models.__file__).read_text(encoding="utf-8")
    shape = shape_of_source(text)
    assert set(EVENT_TYPES) < set(shape.models)
    assert shape.operations == ari_models.OPERATIONS
    assert "do not edit" in (ast.get_docstring(ast.parse(text)) or "")


@pytest.mark.parametrize(
    ("models", "complaint"),
    [
        ({"Silence": {"properties": {"x": {"type": "Nowhere"}}}}, "unknown type Nowhere"),
        ({"Silence": {"properties": {"a-b": {"type": "int"}, "a_b": {"type": "int"}}}}, "one name in Python"),
        ({"Mapping": {"properties": {}}}, "cannot name a class"),
        ({"no name": {"properties": {}}}, "cannot name a class"),
        ({"Silence": {"properties": {}, "subTypes": ["Nobody"]}}, "not described"),
        ({"Silence": {"properties": {}, "subTypes": ["Silence"]}}, "extends itself"),
        ({"Silence": {"properties": {"x": {"type": "List[int]"}}}}, "not supported"),
    ],
)
def test_description_beyond_the_generator_is_refused(models: dict[str, object], complaint: str) -> None:
    """What cannot become code is refused with its name, before anything is written."""
    with pytest.raises(DescriptionError, match=complaint):
        source(invented(**models))


def _check(tmp_path: Path, document: dict[str, Any], *more: str) -> int:
    """Run the command's check of an invented Asterisk against the models of the invented description."""
    folder = tmp_path / "described"
    folder.mkdir()
    (folder / "everything.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "resources.json").write_text('{"apis": []}', encoding="utf-8")
    output = tmp_path / "models.py"
    output.write_text(source(INVENTED), encoding="utf-8")
    code = generate_ari_models.main(["--from", str(folder), "--output", str(output), "--check", *more])
    assert output.read_text(encoding="utf-8") == source(INVENTED)
    return code


def test_check_passes_on_what_it_was_made_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same description: exit 0, and it says so."""
    assert _check(tmp_path, INVENTED) == 0
    assert "what this Asterisk describes" in capsys.readouterr().out


def test_check_fails_on_removed_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model this Asterisk no longer has: exit 1, and it is named."""
    assert _check(tmp_path, invented(Silence=None)) == 1
    assert capsys.readouterr().out == "missing model: Silence\n"


def test_check_lists_what_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New models and fields are listed and harm nobody: exit 0."""
    more = {"properties": {"text": {"type": "object", "required": True}, "rhyme": {"type": "string"}}}
    assert _check(tmp_path, invented(Dance={"properties": {}}, Verse=more)) == 0
    assert capsys.readouterr().out == "new model: Dance\nnew field: Verse.rhyme\n"


@pytest.mark.parametrize(
    ("properties", "line", "code"),
    [
        ({"id": {"type": "string", "required": True}}, "missing optional field: Channel.protocol_id", 0),
        (
            {"protocol_id": {"type": "string", "required": True}},
            "missing required field: Channel.id",
            1,
        ),
        (
            {"id": {"type": "string"}, "protocol_id": {"type": "string", "required": True}},
            "changed field: Channel.id (str -> str | None)",
            1,
        ),
        (
            {"id": {"type": "long", "required": True}, "protocol_id": {"type": "string", "required": True}},
            "changed field: Channel.id (str -> int)",
            1,
        ),
    ],
)
def test_check_knows_which_fields_matter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], properties: dict[str, Any], line: str, code: int
) -> None:
    """A field events would be refused for lacking is a failure; one that may be absent is only listed."""
    assert _check(tmp_path, invented(Channel={"properties": properties})) == code
    assert capsys.readouterr().out == f"{line}\n"


def test_check_lists_operations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Operations that vanished or came are listed, as JSON too, and alone do not fail the check."""
    api = {"path": "/channels/{channelId}", "operations": [{"httpMethod": "GET"}, {"httpMethod": "PUT"}]}
    assert _check(tmp_path, {**INVENTED, "apis": [api]}, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["is_breaking"] is False
    assert found["missing_operations"] == ["DELETE /channels/{channelId}"]
    assert found["new_operations"] == ["PUT /channels/{channelId}"]


def test_unreadable_source_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No folder, no JSON, no Asterisk: exit 2 and one line that says where."""
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    for origin in (str(tmp_path), str(empty), str(tmp_path / "nowhere"), "http://127.0.0.1:1/ari"):
        assert generate_ari_models.main(["--from", origin, "--check"]) == 2
        assert capsys.readouterr().err.startswith(f"{origin}: ")


def test_dial_constructed_by_hand() -> None:
    """Fakes and the emulator build events by keyword; the type is the class's own."""
    peer = Channel.from_json(channel("b"))
    dial = Dial(application="lk", timestamp="", peer=peer, dialstatus="RINGING")
    assert dial.type == "Dial"
    assert dial.subjects() == Subjects(("b",))
