"""Sound: does Asterisk play what we put into the shared folder, are the prompts there, and can it record?

All of it is tried on a bridge without channels, so that nobody hears anything, and cleared away again.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection

from core.errors import AriError, AriGone, AriRefused, AriServerError
from integrations.checkup.check import Answer, Check, fail, ok, warn
from integrations.checkup.subject import Subject
from integrations.checkup.wavs import find_playable, short_silence
from logic.scenario_registry import ScenarioRegistry

EVENT_S: Final = 5.0


async def shared_folder(subject: Subject) -> Answer:
    """What we write into AST_SOUND_DIR, Asterisk plays under AST_SOUND_PREFIX."""
    folder, prefix = subject.media.sound_dir, subject.media.sound_prefix
    if folder is None:
        return warn(
            "AST_SOUND_DIR is off: prompts cannot be played", "Set it to a folder that Asterisk sees, too"
        )
    file = folder / f"{subject.name}.wav"
    try:
        file.write_bytes(short_silence())
        file.chmod(0o644)
    except OSError as error:
        file.unlink(missing_ok=True)
        return fail(f"{folder}: {error.strerror}", "Give the engine's user this folder, or set AST_SOUND_DIR")
    try:
        state = await _played(subject, f"sound:{prefix}/{subject.name}")
    finally:
        file.unlink(missing_ok=True)
    if state != "done":
        return fail(
            f"Asterisk does not find in sound:{prefix}/ what we write into {folder}",
            "Let both name the same folder: below Asterisk's sounds, AST_SOUND_PREFIX is its name there",
        )
    return ok(f"Asterisk plays what we write into {folder}")


async def prompts(subject: Subject) -> Answer:
    """Every prompt that a loaded scenario uses is there, in a form that Asterisk plays."""
    folder = subject.media.sound_dir
    if folder is None:
        return warn("not looked at: AST_SOUND_DIR is off", "Set it to a folder that Asterisk sees, too")
    wrong = [
        f"{each.prompt}: {each.wrong} (used by {', '.join(each.scenarios)})"
        for each in unplayable_prompts(subject.scenarios, folder)
    ]
    if wrong:
        return fail(
            f"in {folder}: {'; '.join(wrong)}", "Run scripts/sync_audio.sh, which converts and copies them"
        )
    used = sorted({name for flow in subject.scenarios.flows.values() for name in flow.prompts})
    return ok(f"found in {folder}: {', '.join(used) or 'none are used'}")


@dataclass(frozen=True, slots=True)
class Unplayable:
    """A prompt that cannot be played, and the scenarios that want to."""

    prompt: str
    wrong: str
    scenarios: tuple[str, ...]


def unplayable_prompts(scenarios: ScenarioRegistry, folder: Path) -> list[Unplayable]:
    """The prompts that loaded scenarios use and Asterisk would not play from this folder."""
    users: dict[str, list[str]] = {}
    for flow in scenarios.flows.values():
        for name in flow.prompts:
            users.setdefault(name, []).append(flow.id)
    found = []
    for name, flows in sorted(users.items()):
        file = find_playable(folder, name)
        if file is None:
            found.append(Unplayable(name, "missing", tuple(flows)))
        elif file.wrong:
            found.append(Unplayable(name, f"{file.path.name} is {file.wrong}", tuple(flows)))
    return found


async def recordings(subject: Subject) -> Answer:
    """Asterisk can write a recording, and we can fetch it and delete it."""
    name = subject.name
    async with _bridge(subject) as (bridge_id, socket):
        try:
            await subject.client.bridges.record(bridge_id, name=name, max_duration_s=1)
        except AriServerError as error:
            remedy = "Make its folder `recording` in astspooldir, writable by Asterisk's user"
            return fail(f"Asterisk cannot record ({error.status} {error.reason})", remedy)
        try:
            await _stopped(subject, name)
            state = await _state_of(socket, "RecordingFinished", "RecordingFailed", of="recording")
            if state != "done":
                return fail(
                    f"a recording ended as {state or 'nothing'}",
                    "Look into Asterisk's log for the same moment",
                )
            content = await subject.client.recordings.download(name)
        finally:
            await _delete_recording(subject, name)
    return ok(f"written, fetched ({len(content)} bytes) and deleted")


async def _stopped(subject: Subject, name: str) -> None:
    try:
        await subject.client.recordings.stop_live(name)
    except AriGone:
        pass  # it ended by itself


async def _delete_recording(subject: Subject, name: str) -> None:
    try:
        await subject.client.recordings.delete_stored(name)
    except AriRefused:
        pass  # there is none


async def _played(subject: Subject, media: str) -> str:
    async with _bridge(subject) as (bridge_id, socket):
        await subject.client.bridges.play(bridge_id, playback_id=f"{subject.name}-play", media=[media])
        return await _state_of(socket, "PlaybackFinished", of="playback")


@asynccontextmanager
async def _bridge(subject: Subject) -> AsyncIterator[tuple[str, ClientConnection]]:
    """A bridge without channels whose events we hear, gone afterwards."""
    client = subject.client
    async with subject.open_socket(subject.name) as socket:
        await client.bridges.create(bridge_id=subject.name, name="linekeeper doctor")
        try:
            await client.applications.subscribe(subject.name, event_source=f"bridge:{subject.name}")
            yield subject.name, socket
        finally:
            try:
                await client.bridges.destroy(subject.name)
            except AriError:
                pass  # Asterisk went away meanwhile, and the bridge with it


async def _state_of(socket: ClientConnection, *kinds: str, of: str) -> str:
    """The state of the playback or recording in the first event of these kinds; empty when none comes in time."""
    try:
        async with asyncio.timeout(EVENT_S):
            async for frame in socket:
                event = json.loads(frame)
                if event.get("type") in kinds:
                    return str(event.get(of, {}).get("state", ""))
    except TimeoutError:
        pass
    return ""


CHECKS = (
    Check("shared-folder", "does Asterisk play what we write?", shared_folder, needs=("events",)),
    Check("prompts", "are the prompts there?", prompts),
    Check("recordings", "can Asterisk record?", recordings, needs=("events",)),
)
