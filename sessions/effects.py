"""Carries out a call's commands: each becomes one request to Asterisk or one write to the store, and one event back.

Nothing is decided here. A refusal that only says the other side has left comes back as `Failed(gone=True)`, which is
normal; anything else as `Failed` with a sentence for the operator.
"""

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import assert_never

from core.ari_client import AriClient
from core.ari_client.doubt import create_or_find
from core.clock import Clock
from core.errors import AriError, AriGone, AriRefused, StoreError
from core.store import DialPermit, Store
from sessions.commands import (
    AnswerLeg,
    AskLeg,
    AskPlayback,
    AskRecording,
    CancelTimer,
    Command,
    CreateLeg,
    DialLeg,
    JoinBridge,
    MakeBridge,
    MeasureRecording,
    NoteAnswered,
    OriginateLeg,
    Play,
    RecordDial,
    SaveFlow,
    SetTimer,
    StartRecording,
)
from sessions.events import (
    CallEvent,
    Done,
    Failed,
    LegIsUp,
    PlaybackEnded,
    RecordingEnded,
    RecordingMeasured,
    StillRunning,
)
from sessions.models import CallPlan
from stt_tts.audio.emptiness import BrokenAudio, is_empty


@dataclass(frozen=True, slots=True)
class Doer:
    """The doer of one call. `app` is the application its legs enter; `permit` is what allows it to dial, if it dials."""

    plan: CallPlan
    app: str
    client: AriClient
    store: Store
    clock: Clock
    permit: DialPermit | None = None

    async def carry_out(self, command: Command) -> CallEvent:
        """Do it, and say what came of it. Never raises what Asterisk or the store may raise."""
        try:
            return await self._do(command)
        except AriRefused as error:
            gone = error.is_normal_after_hangup or (error.status == 400 and "not found" in error.reason)
            return Failed(command, str(error), gone=gone)
        except AriError as error:
            return Failed(command, str(error), doubtful=error.may_have_happened)
        except (StoreError, BrokenAudio) as error:
            return Failed(command, str(error))

    async def _do(self, command: Command) -> CallEvent:
        client, plan = self.client, self.plan
        match command:
            case MakeBridge(bridge_id):
                await client.bridges.create(bridge_id=bridge_id, name=plan.call_id)
            case JoinBridge(bridge_id, channel_id):
                await client.bridges.add_channel(bridge_id, channel_id=channel_id)
            case CreateLeg(channel_id, endpoint, caller_id):
                await create_or_find(
                    client.channels,
                    channel_id,
                    client.channels.create(
                        channel_id=channel_id,
                        endpoint=endpoint,
                        app=self.app,
                        app_args=f"outbound,{plan.call_id}",
                        # What the far end sees as the caller is the connected line of this leg, not its own caller id.
                        variables={"CONNECTEDLINE(num)": caller_id} if caller_id else None,
                    ),
                )
            case RecordDial():
                await self._record_dial()
            case DialLeg(channel_id, timeout_s):
                await client.channels.dial(channel_id, timeout_s=whole(timeout_s))
            case OriginateLeg(channel_id, endpoint, caller_id, timeout_s):
                await create_or_find(
                    client.channels,
                    channel_id,
                    client.channels.originate(
                        channel_id=channel_id,
                        endpoint=endpoint,
                        app=self.app,
                        app_args=f"outbound,{plan.call_id}",
                        timeout_s=whole(timeout_s),
                        caller_id=caller_id,
                    ),
                )
            case AnswerLeg(channel_id):
                await client.channels.answer(channel_id)
            case Play(bridge_id, playback_id, media):
                await client.bridges.play(bridge_id, playback_id=playback_id, media=media)
            case StartRecording(bridge_id, name, max_s, silence_s):
                await client.bridges.record(
                    bridge_id,
                    name=name,
                    format="wav",
                    max_duration_s=whole(max_s),
                    max_silence_s=whole(silence_s),
                )
            case AskPlayback(playback_id):
                over = PlaybackEnded(playback_id, ok=False)  # whether it was heard, nobody can tell any more
                return await self._ask(StillRunning(), over, client.playbacks.get(playback_id))
            case AskRecording(name):
                return await self._ask_recording(command)
            case MeasureRecording(name):
                audio = await client.recordings.download(name)
                return RecordingMeasured(name, is_empty(audio))
            case AskLeg(channel_id):
                channel = await client.channels.get(channel_id)
                return LegIsUp(channel_id, up=channel.state == "Up")
            case SetTimer() | CancelTimer() | NoteAnswered() | SaveFlow():
                raise AssertionError("timers and notes belong to the call's own loop")
            case _:
                assert_never(command)
        return Done(command)

    async def _record_dial(self) -> None:
        if self.permit is None:
            raise StoreError("a call without a permit may not dial")
        await self.store.permits.begin_dial(self.permit, at=self.clock.wall())

    @staticmethod
    async def _ask(going_on: CallEvent, over: CallEvent, question: Awaitable[object]) -> CallEvent:
        try:
            await question
        except AriGone:
            return over
        return going_on

    async def _ask_recording(self, command: AskRecording) -> CallEvent:
        """A recording that is no longer live has ended well when it is stored, and failed otherwise."""
        recordings = self.client.recordings
        live = await self._ask(StillRunning(), Done(command), recordings.get_live(command.name))
        if isinstance(live, StillRunning):
            return live
        missing = RecordingEnded(command.name, ok=False)
        stored = await self._ask(Done(command), missing, recordings.get_stored(command.name))
        return missing if stored is missing else RecordingEnded(command.name, ok=True)


def whole(seconds: float) -> int:
    """Seconds as ARI takes them: whole, at least one."""
    return max(1, math.ceil(seconds))
