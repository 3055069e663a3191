"""From a method and a path to the operation: ARI's map, read once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from integrations.emulator import applications, bridges, channels, machine, playbacks, recordings
from integrations.emulator.replies import INVALID_METHOD, RESOURCE_NOT_FOUND, Ask, Reply
from integrations.emulator.world import World

Operation = Callable[[World, Ask], Reply]

_MAP: Final[Mapping[str, Mapping[str, Operation]]] = {
    "applications": {"GET": applications.list_all},
    "applications/{applicationName}": {"GET": applications.get},
    "applications/{applicationName}/subscription": {
        "POST": applications.subscribe,
        "DELETE": applications.unsubscribe,
    },
    "applications/{applicationName}/eventFilter": {"PUT": applications.set_filter},
    "asterisk/info": {"GET": machine.info},
    "asterisk/ping": {"GET": machine.ping},
    "asterisk/variable": {"GET": machine.get_variable, "POST": machine.set_variable},
    "bridges": {"GET": bridges.list_all, "POST": bridges.create},
    "bridges/{bridgeId}": {"GET": bridges.get, "POST": bridges.create, "DELETE": bridges.delete},
    "bridges/{bridgeId}/addChannel": {"POST": bridges.add},
    "bridges/{bridgeId}/removeChannel": {"POST": bridges.remove},
    "bridges/{bridgeId}/moh": {"POST": bridges.music, "DELETE": bridges.music},
    "bridges/{bridgeId}/play": {"POST": bridges.play},
    "bridges/{bridgeId}/play/{playbackId}": {"POST": bridges.play},
    "bridges/{bridgeId}/record": {"POST": bridges.record},
    "channels": {"GET": channels.list_all, "POST": channels.originate},
    "channels/create": {"POST": channels.create},
    "channels/{channelId}": {"GET": channels.get, "POST": channels.originate, "DELETE": channels.delete},
    "channels/{channelId}/answer": {"POST": channels.answer},
    "channels/{channelId}/continue": {"POST": channels.go_on},
    "channels/{channelId}/dial": {"POST": channels.dial},
    "channels/{channelId}/dtmf": {"POST": channels.dtmf},
    "channels/{channelId}/hold": {"POST": channels.indicate, "DELETE": channels.indicate},
    "channels/{channelId}/moh": {"POST": channels.indicate, "DELETE": channels.indicate},
    "channels/{channelId}/mute": {"POST": channels.mute, "DELETE": channels.mute},
    "channels/{channelId}/play": {"POST": channels.play},
    "channels/{channelId}/play/{playbackId}": {"POST": channels.play},
    "channels/{channelId}/record": {"POST": channels.record},
    "channels/{channelId}/ring": {"POST": channels.indicate, "DELETE": channels.indicate},
    "channels/{channelId}/silence": {"POST": channels.indicate, "DELETE": channels.indicate},
    "channels/{channelId}/variable": {"GET": channels.get_variable, "POST": channels.set_variable},
    "playbacks/{playbackId}": {"GET": playbacks.get, "DELETE": playbacks.stop},
    "playbacks/{playbackId}/control": {"POST": playbacks.control},
    "recordings/live/{recordingName}": {"GET": recordings.get_live, "DELETE": recordings.cancel},
    "recordings/live/{recordingName}/stop": {"POST": recordings.stop},
    "recordings/live/{recordingName}/pause": {"POST": recordings.pause, "DELETE": recordings.pause},
    "recordings/live/{recordingName}/mute": {"POST": recordings.mute, "DELETE": recordings.mute},
    "recordings/stored": {"GET": recordings.list_stored},
    "recordings/stored/{recordingName}": {"GET": recordings.get_stored, "DELETE": recordings.delete_stored},
    "recordings/stored/{recordingName}/file": {"GET": recordings.get_file},
    "sounds": {"GET": machine.sounds},
    "sounds/{soundId}": {"GET": machine.sound},
}


@dataclass(slots=True)
class _Place:
    """One segment of the map, and what hangs below it."""

    named: dict[str, "_Place"] = field(default_factory=dict)
    any_name: str = ""
    any_place: "_Place | None" = None
    template: str = ""
    operations: Mapping[str, Operation] = field(default_factory=dict)


def _grow() -> _Place:
    root = _Place()
    for template, operations in _MAP.items():
        place = root
        for segment in template.split("/"):
            if segment.startswith("{"):
                place.any_name = segment[1:-1]
                place.any_place = place.any_place or _Place()
                place = place.any_place
            else:
                place = place.named.setdefault(segment, _Place())
        place.template, place.operations = template, operations
    return root


_ROOT: Final = _grow()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes, with what its path names."""

    template: str
    operation: Operation
    where: Mapping[str, str]


def route(method: str, path: str) -> Route | Reply:
    """Find the operation for a quoted path below /ari; 404 for a path, 405 for a method that is not on the map."""
    place, where = _ROOT, {}
    for segment in path.strip("/").split("/"):
        name = unquote(segment)
        below = place.named.get(segment)
        if below is None:
            if place.any_place is None or not name:
                return RESOURCE_NOT_FOUND
            where[place.any_name] = name
            below = place.any_place
        place = below
    if not place.operations:
        return RESOURCE_NOT_FOUND
    operation = place.operations.get(method)
    return INVALID_METHOD if operation is None else Route(place.template, operation, where)
