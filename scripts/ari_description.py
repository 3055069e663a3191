"""What an Asterisk's description of its own ARI means: models and operations, the source text made of them, and
how two of them differ. Pure; `generate_ari_models` reads, formats and writes.

Descriptive texts are Asterisk's and are not taken over; names, types and what is required are.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# Described as required, yet absent in an Asterisk people still run: (model, field) -> (default as source, why).
# Asterisk 16.28 sends them all; they joined ARI during the life of 13 and 16. None decides about a call.
LENIENT: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Channel", "protocol_id"): ('""', "a later addition; already empty for most technologies"),
    ("DialplanCEP", "app_name"): ('""', "a later addition; informational"),
    ("DialplanCEP", "app_data"): ('""', "a later addition; informational"),
    ("Bridge", "creationtime"): ('""', "a later addition; informational"),
    ("Application", "events_allowed"): (
        "()",
        "came with event filters: where there are none, all is allowed",
    ),
    ("Application", "events_disallowed"): (
        "()",
        "came with event filters: where there are none, all is allowed",
    ),
}

# Described as int, but to be taken as a string of digits too: technologies fill these in themselves.
DIGITS_TOO: frozenset[tuple[str, str]] = frozenset(
    {("ChannelDestroyed", "tech_cause"), ("ChannelHangupRequest", "tech_cause")}
)

# Whom an event concerns: the field that names one of these, and fields that carry a bare id or a target.
SUBJECT_MODELS: Mapping[str, tuple[str, str]] = {
    "Channel": ("channels", "id"),
    "Bridge": ("bridges", "id"),
    "Playback": ("playbacks", "id"),
    "LiveRecording": ("recordings", "name"),
}
SUBJECT_TARGETS: Mapping[str, str] = {"Playback": "target_uri", "LiveRecording": "target_uri"}
SUBJECT_FIELDS: Mapping[tuple[str, str], str] = {
    ("BridgeVideoSourceChanged", "old_video_source_id"): "channels",
    ("BridgeAttendedTransfer", "destination_bridge"): "bridges",
}
SUBJECT_KINDS = ("channels", "bridges", "playbacks", "recordings", "targets")
SUBJECT_NAMES = {
    "channels": "channel_ids",
    "bridges": "bridge_ids",
    "playbacks": "playback_ids",
    "recordings": "recording_names",
}

SCALARS: Mapping[str, str] = {
    "string": "str",
    "Date": "str",
    "int": "int",
    "long": "int",
    "double": "float",
    "float": "float",
    "boolean": "bool",
    "object": "Mapping[str, object]",
}
IMPORTED = (
    "NO_SUBJECTS",
    "Subjects",
    "UnknownEvent",
    "model",
    "number",
    "objects",
    "strings",
    "subjects_of",
    "whole",
    "wrong",
)
# Names the generated file uses itself: no class and no local variable may take them.
TAKEN = frozenset(
    {*IMPORTED, "EVENT_TYPES", "OPERATIONS", "Final", "Mapping", "MappingProxyType", "Self"}
    | {"annotations", "cls", "data", "get", "item", "parse_event", "self"}
)
# What a field of that name would hide inside its own class: the methods, and the words of annotations.
HIDDEN_BY_FIELDS = frozenset(
    {
        "from_json",
        "subjects",
        "str",
        "int",
        "float",
        "bool",
        "tuple",
        "object",
        "classmethod",
        "Mapping",
        "Self",
    }
)


class DescriptionError(ValueError):
    """The description says something this generator cannot turn into code."""


# ------------------------------------------------------------------------------------------ the description


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field: its name in JSON and in Python, its type as described, and what becomes of its absence."""

    model: str
    json_name: str
    name: str
    type: str
    is_described_required: bool

    @property
    def default(self) -> str | None:
        """What an absent value becomes, as source; None where absence is an error."""
        if not self.is_described_required:
            return "None"
        lenient = LENIENT.get((self.model, self.json_name))
        return lenient[0] if lenient else None

    @property
    def item(self) -> str | None:
        """The type of a list's items; None where it is no list."""
        found = re.fullmatch(r"List\[(\w+)\]", self.type)
        return found.group(1) if found else None

    @property
    def annotation(self) -> str:
        """The type in Python."""
        item = self.item
        base = f"tuple[{SCALARS.get(item, item)}, ...]" if item else SCALARS.get(self.type, self.type)
        return f"{base} | None" if self.default == "None" else base


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model: its fields, what it extends, and whether others extend it."""

    name: str
    base: str | None
    own: tuple[FieldSpec, ...]
    is_base: bool


@dataclass(frozen=True, slots=True)
class Description:
    """All models by name, and every operation as `METHOD /path`."""

    models: Mapping[str, ModelSpec]
    operations: frozenset[str] = frozenset()

    def lineage(self, name: str) -> list[ModelSpec]:
        """The model and what it extends, the root first."""
        found: list[ModelSpec] = []
        at: str | None = name
        while at is not None:
            if any(model.name == at for model in found):
                raise DescriptionError(f"{name} extends itself")
            found.insert(0, self.models[at])
            at = self.models[at].base
        return found

    def fields(self, name: str) -> list[FieldSpec]:
        """All fields of a model, inherited ones first."""
        return [spec for model in self.lineage(name) for spec in model.own]

    def is_event(self, name: str) -> bool:
        """True for what extends `Event`."""
        return name != "Event" and any(model.name == "Event" for model in self.lineage(name))

    def is_message(self, name: str) -> bool:
        """True for what extends something: its class is its type."""
        return self.models[name].base is not None and not self.models[name].is_base


def python_name(name: str) -> str:
    """A field name that Python takes: Asterisk's own wherever possible."""
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not name or name[0].isdigit():
        name = f"f_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in HIDDEN_BY_FIELDS else name


def as_object(value: object, where: str) -> Mapping[str, object]:
    """The JSON object a value is, or DescriptionError."""
    if not isinstance(value, dict):
        raise DescriptionError(f"{where}: expected an object")
    return value


def as_list(value: object, where: str) -> list[object]:
    """The JSON list a value is, or DescriptionError."""
    if not isinstance(value, list):
        raise DescriptionError(f"{where}: expected a list")
    return value


def parse_description(documents: Iterable[Mapping[str, object]]) -> Description:
    """Gather models and operations from the documents of one Asterisk."""
    raw: dict[str, Mapping[str, object]] = {}
    operations: set[str] = set()
    for document in documents:
        for name, model in as_object(document.get("models", {}), "models").items():
            if raw.setdefault(name, as_object(model, name)) != model:
                raise DescriptionError(f"{name} is described twice, differently")
        for entry in as_list(document.get("apis", []), "apis"):
            api = as_object(entry, "apis")
            for operation in as_list(api.get("operations", []), "operations"):
                operations.add(f"{as_object(operation, 'operations')['httpMethod']} {api['path']}")
    bases: dict[str, str] = {}
    for name, model in raw.items():
        for sub in as_list(model.get("subTypes", []), name):
            if bases.setdefault(str(sub), name) != name:
                raise DescriptionError(f"{sub} extends both {bases[str(sub)]} and {name}")
    if stray := sorted(set(bases) - set(raw)):
        raise DescriptionError(f"{bases[stray[0]]} names a subtype that is not described: {stray[0]}")
    models = {name: _model(name, model, bases.get(name)) for name, model in sorted(raw.items())}
    for model in models.values():
        for spec in model.own:
            if (spec.item or spec.type) not in SCALARS.keys() | models.keys():
                raise DescriptionError(f"{model.name}.{spec.json_name}: unknown type {spec.type}")
    return Description(models, frozenset(operations))


def _model(name: str, raw: Mapping[str, object], base: str | None) -> ModelSpec:
    if not name.isidentifier() or keyword.iskeyword(name) or name in TAKEN or hasattr(builtins, name):
        raise DescriptionError(f"{name!r} cannot name a class")
    own: dict[str, FieldSpec] = {}
    for json_name, entry in as_object(raw.get("properties", {}), name).items():
        prop = as_object(entry, f"{name}.{json_name}")
        spec = FieldSpec(
            name, json_name, python_name(json_name), str(prop.get("type")), prop.get("required") is True
        )
        if spec.name in own:
            raise DescriptionError(
                f"{name}: {json_name} and {own[spec.name].json_name} get one name in Python"
            )
        own[spec.name] = spec
    return ModelSpec(name, base, tuple(own.values()), bool(raw.get("subTypes")))


# ------------------------------------------------------------------------------------------- the source text


def render(description: Description, asterisk_version: str) -> str:
    """The module's source, before formatting; the same description gives the same text."""
    order = sorted(description.models, key=lambda name: (len(description.lineage(name)), name))
    body = [_render_class(description, name) for name in order]
    events = sorted(name for name in description.models if description.is_event(name))
    if "Event" in description.models:
        body.append(_render_events(events))
    body.append(
        "# What the described Asterisk can be asked.\nOPERATIONS: Final[frozenset[str]] = frozenset({\n"
        + "".join(f"    {operation!r},\n" for operation in sorted(description.operations))
        + "})\n"
    )
    rest = "\n\n".join(body)
    used = [name for name in IMPORTED if re.search(rf"\b{name}\b", rest)]
    types_import = "from types import MappingProxyType\n" if "MappingProxyType" in rest else ""
    return (
        f'"""Typed models of ARI: every event and resource Asterisk {asterisk_version} describes.\n\n'
        f"Generated by scripts/generate_ari_models.py from Asterisk {asterisk_version}: do not edit.\n"
        "`from_json` ignores fields it does not know and raises `ModelError` for a required field that is missing\n"
        'or of the wrong type. Times stay strings, free-form objects stay mappings.\n"""\n\n'
        "from __future__ import annotations\n\n"
        "from collections.abc import Mapping\n"
        f"{types_import}from typing import Final, Self\n\n"
        f"from core.ari_fields import {', '.join(used)}\n\n\n{rest}"
    )


def _render_class(description: Description, name: str) -> str:
    model = description.models[name]
    subjects = _subjects(description, name) if description.is_event(name) else {}
    fields = description.fields(name)
    lines = ["@model"]
    lines.append(f"class {name}({model.base}):" if model.base else f"class {name}:")
    lines.append(f'    """{_docstring(description, name)}"""\n')
    if description.is_message(name) and any(spec.name == "type" for spec in fields):
        lines.append(f'    type: str = "{name}"')
    for spec in model.own:
        default = "" if spec.default is None else f" = {spec.default}"
        lines.append(f"    {spec.name}: {spec.annotation}{default}")
    lines += _render_from_json(description, name, fields)
    if name == "Event":
        lines += [
            "",
            "    def subjects(self) -> Subjects:",
            '        """Whom it concerns: nobody in particular."""',
        ]
        lines.append("        return NO_SUBJECTS")
    elif subjects:
        lines += _render_subjects(subjects)
    return "\n".join(lines) + "\n"


def _docstring(description: Description, name: str) -> str:
    if description.is_event(name):
        return f"The event `{name}`."
    return f"What `{name}` messages share." if description.models[name].is_base else f"The resource `{name}`."


def _render_from_json(description: Description, name: str, fields: Sequence[FieldSpec]) -> list[str]:
    lines = ["", "    @classmethod", "    def from_json(cls, data: Mapping[str, object]) -> Self:"]
    lines.append(f'        """The `{name}` in what Asterisk sent, or ModelError."""')
    given = [spec for spec in fields if not (description.is_message(name) and spec.name == "type")]
    if not given:
        return [*lines, "        del data", "        return cls()"]
    lines.append("        get = data.get")
    arguments = []
    for spec in given:
        variable = spec.name
        if hasattr(builtins, variable) or variable in TAKEN or variable in description.models:
            variable += "_"
        lines.append(f"        {variable} = get({spec.json_name!r})")
        check, value = _check(name, spec, variable)
        lines += [f"        {line}" for line in check]
        arguments.append(f"{spec.name}={value}")
    return [*lines, f"        return cls({', '.join(arguments)})"]


def _check(model: str, spec: FieldSpec, var: str) -> tuple[list[str], str]:
    """The lines that make sure of a value, and the expression that then stands for it."""
    where = f"{model!r}, {spec.json_name!r}, {var}"
    call: str | None = None
    test = expected = ""
    # `type(x) is`, because JSON has no subclasses, True is an int to isinstance, and it takes half the time.
    if spec.item is not None:
        items = "strings" if SCALARS.get(spec.item) == "str" else "objects"
        if spec.item in SCALARS and spec.item not in {"string", "Date", "object"}:
            raise DescriptionError(f"{model}.{spec.json_name}: lists of {spec.item} are not supported")
        call = f"{items}({where})"
        if spec.item not in SCALARS:
            call = f"tuple({spec.item}.from_json(item) for item in {call})"
    elif (model, spec.json_name) in DIGITS_TOO:
        call = f"whole({where})"
    elif SCALARS.get(spec.type) == "float":
        call = f"number({where})"
    elif SCALARS.get(spec.type) == "str":
        test, expected = f"type({var}) is not str", "a string"
    elif SCALARS.get(spec.type) == "bool":
        test, expected = f"type({var}) is not bool", "true or false"
    elif SCALARS.get(spec.type) == "int":
        test, expected = f"type({var}) is not int", "a whole number"
    else:
        test, expected = f"type({var}) is not dict", "an object"
    if call is not None:
        return [], call if spec.default is None else f"{spec.default} if {var} is None else {call}"
    failure = f"    raise wrong({where}, {expected!r})"
    value = var if spec.type in SCALARS else f"{spec.type}.from_json({var})"
    if spec.default is None:
        return [f"if {test}:", failure], value
    if spec.default == "None":
        optional = value if value == var else f"None if {var} is None else {value}"
        return [f"if {var} is not None and {test}:", failure], optional
    return [f"if {var} is None:", f"    {var} = {spec.default}", f"elif {test}:", failure], value


def _subjects(description: Description, name: str) -> dict[str, list[tuple[str, bool]]]:
    """By kind: the expressions that name a subject of the event, and whether each may be None."""
    found: dict[str, list[tuple[str, bool]]] = {}

    def walk(model: str, path: str, absent: tuple[str, ...], seen: frozenset[str]) -> None:
        for spec in description.fields(model):
            at = f"{path}.{spec.name}"
            tests = (*absent, f"{at} is None") if spec.default == "None" else absent

            def add(kind: str, expression: str, tests: tuple[str, ...] = tests) -> None:
                guarded = f"None if {' or '.join(tests)} else {expression}" if tests else expression
                found.setdefault(kind, []).append((guarded, bool(tests)))

            if kind := SUBJECT_FIELDS.get((model, spec.json_name)):
                found.setdefault(kind, []).append((at, spec.default == "None"))
            if spec.item in SUBJECT_MODELS:
                raise DescriptionError(f"{model}.{spec.json_name}: lists of subjects are not supported")
            if spec.type in SUBJECT_MODELS:
                kind, id_field = SUBJECT_MODELS[spec.type]
                add(kind, f"{at}.{id_field}")
                if target := SUBJECT_TARGETS.get(spec.type):
                    add("targets", f"{at}.{target}")
            elif spec.type in description.models and spec.type not in seen:
                walk(spec.type, at, tests, seen | {spec.type})

    walk(name, "self", (), frozenset({name}))
    return found


def _render_subjects(subjects: Mapping[str, list[tuple[str, bool]]]) -> list[str]:
    """One id of a kind, always there, needs no gathering."""
    is_plain = "targets" not in subjects and all(
        len(found) == 1 and not found[0][1] for found in subjects.values()
    )
    arguments = [
        f"{SUBJECT_NAMES[kind] if is_plain else kind}=({', '.join(text for text, _ in subjects[kind])},)"
        for kind in SUBJECT_KINDS
        if kind in subjects
    ]
    call = f"{'Subjects' if is_plain else 'subjects_of'}({', '.join(arguments)})"
    return [
        "",
        "    def subjects(self) -> Subjects:",
        '        """Whom it concerns."""',
        f"        return {call}",
    ]


def _render_events(events: Sequence[str]) -> str:
    entries = "".join(f'    "{name}": {name},\n' for name in events)
    return f'''# Every event by the `type` it carries.
EVENT_TYPES: Final[Mapping[str, type[Event]]] = MappingProxyType({{
{entries}}})


def parse_event(data: Mapping[str, object]) -> Event | UnknownEvent:
    """The event in what Asterisk sent: its model's class, UnknownEvent for any other type, or ModelError."""
    kind = data.get("type")
    if not isinstance(kind, str):
        return UnknownEvent(type="", raw=data)
    event_type = EVENT_TYPES.get(kind)
    if event_type is None:
        return UnknownEvent(type=kind, raw=data)
    return event_type.from_json(data)
'''


# --------------------------------------------------------------------------------------------- the comparison


@dataclass(frozen=True, slots=True)
class Shape:
    """What generated code holds: annotation and necessity of every field of every model, and the operations."""

    models: Mapping[str, Mapping[str, tuple[str, bool]]]
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How an Asterisk differs from the generated models; fields as `Model.field`."""

    missing_models: list[str] = field(default_factory=list)
    missing_required_fields: list[str] = field(default_factory=list)
    changed_fields: list[str] = field(default_factory=list)
    missing_optional_fields: list[str] = field(default_factory=list)
    missing_operations: list[str] = field(default_factory=list)
    new_models: list[str] = field(default_factory=list)
    new_fields: list[str] = field(default_factory=list)
    new_operations: list[str] = field(default_factory=list)

    @property
    def is_breaking(self) -> bool:
        """True where something the models rely on is gone or different."""
        return bool(self.missing_models or self.missing_required_fields or self.changed_fields)


def shape_of_description(description: Description) -> Shape:
    """The shape that code generated from a description would have."""
    models = {
        name: {spec.name: (spec.annotation, spec.default is None) for spec in description.fields(name)}
        for name in description.models
    }
    return Shape(models, description.operations)


def shape_of_source(source: str) -> Shape:
    """The shape of a generated module, read without importing it."""
    own: dict[str, dict[str, tuple[str, bool]]] = {}
    bases: dict[str, list[str]] = {}
    operations: frozenset[str] = frozenset()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
            own[node.name] = {
                line.target.id: (ast.unparse(line.annotation), line.value is None)
                for line in node.body
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
            }
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "OPERATIONS"
            and isinstance(node.value, ast.Call)
            and node.value.args
        ):
            operations = frozenset(ast.literal_eval(node.value.args[0]))

    def fields(name: str) -> dict[str, tuple[str, bool]]:
        inherited = {key: value for base in bases[name] for key, value in fields(base).items()}
        # A subclass fixes `type`; its necessity is the root's.
        return {**own[name], **inherited}

    return Shape({name: fields(name) for name in own}, operations)


def compare(generated: Shape, described: Shape) -> Comparison:
    """What a description no longer has, has otherwise, and has besides."""
    result = Comparison(
        missing_models=sorted(generated.models.keys() - described.models.keys()),
        new_models=sorted(described.models.keys() - generated.models.keys()),
        missing_operations=sorted(generated.operations - described.operations),
        new_operations=sorted(described.operations - generated.operations),
    )
    for name in sorted(generated.models.keys() & described.models.keys()):
        ours, theirs = generated.models[name], described.models[name]
        result.new_fields.extend(f"{name}.{key}" for key in theirs if key not in ours)
        for key, (annotation, is_required) in ours.items():
            if key not in theirs:
                gone = result.missing_required_fields if is_required else result.missing_optional_fields
                gone.append(f"{name}.{key}")
            elif theirs[key][0] not in {annotation, annotation.removesuffix(" | None")}:
                result.changed_fields.append(f"{name}.{key} ({annotation} -> {theirs[key][0]})")
    return result
