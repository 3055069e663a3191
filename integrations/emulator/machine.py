"""The requests about Asterisk itself."""

from integrations.emulator.replies import Ask, Reply, no_content, ok, refuse
from integrations.emulator.world import World


def info(world: World, _ask: Ask) -> Reply:
    """GET /asterisk/info."""
    settings = world.settings
    started = world.stamp(0.0)
    return ok(
        {
            "build": {
                "os": "Linux",
                "kernel": "emulated",
                "machine": "emulated",
                "options": "",
                "date": "2026-01-01 00:00:00 UTC",
                "user": "linekeeper",
            },
            "system": {"version": settings.version, "entity_id": settings.asterisk_id},
            "config": {"name": "", "default_language": "en", "setid": {"user": "", "group": ""}},
            "status": {"startup_time": started, "last_reload_time": started},
        }
    )


def ping(world: World, _ask: Ask) -> Reply:
    """GET /asterisk/ping."""
    return ok({"ping": "pong", "timestamp": world.stamp(), "asterisk_id": world.settings.asterisk_id})


def get_variable(world: World, ask: Ask) -> Reply:
    """GET /asterisk/variable: one that does not exist is empty, unlike a channel's."""
    name = ask.get("variable")
    return ok({"value": world.variables.get(name, "")}) if name else refuse(400, "Variable name is required")


def set_variable(world: World, ask: Ask) -> Reply:
    """POST /asterisk/variable."""
    name = ask.get("variable")
    if not name:
        return refuse(400, "Variable name is required")
    world.variables[name] = ask.get("value")
    return no_content()


def sounds(_world: World, _ask: Ask) -> Reply:
    """GET /sounds: this list knows only what is in language folders, here nothing."""
    return ok([])


def sound(_world: World, _ask: Ask) -> Reply:
    """GET /sounds/{soundId}: 404 even for a file that can be played, as for everything in `custom`."""
    return refuse(404, "Sound not found")
