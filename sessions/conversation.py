"""The telephone's side of a conversation: what the flow wants, as commands to Asterisk; pure.

The flow engine speaks of prompts and recordings; a call speaks of playbacks and files on its bridge. This is the only
place that knows both. Retell, rehearsal and replay drive the same flow engine through places of their own.
"""

from dataclasses import dataclass, replace
from typing import Final

from core.ids import Kind, PlaybackId, RecordingName, resource_id
from logic.flow.effects import End, Record, Say, SetOutcome
from logic.flow.engine import step
from logic.flow.events import FlowEvent
from sessions.commands import (
    AskPlayback,
    AskRecording,
    CancelTimer,
    Command,
    MeasureRecording,
    Play,
    SaveFlow,
    SetTimer,
    StartRecording,
)
from sessions.models import CallState, Waiting, WaitKind

WAIT_TIMER: Final = "wait"
WAIT_S: Final = 15.0
"""How long a playback or recording may go without a word from Asterisk before we ask. Most end sooner; asking is free."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one event made of the conversation. `finished` names the reason when the flow is over."""

    state: CallState
    commands: tuple[Command, ...]
    finished: str | None = None


def advance(state: CallState, event: FlowEvent) -> Turn:
    """Give the flow one event and translate what it wants."""
    plan = state.plan
    flow, effects = step(plan.flow, state.flow, event)
    if flow is state.flow and not effects:
        return Turn(state, ())
    state = replace(state, flow=flow)
    commands: list[Command] = []
    finished: str | None = None
    for effect in effects:
        match effect:
            case Say(turn, prompts):
                playback = PlaybackId(resource_id(plan.engine, Kind.PLAYBACK, plan.call_id, state.next_n))
                media = tuple(f"sound:{plan.sound_prefix}/{prompt}" for prompt in prompts)
                commands.append(Play(plan.bridge_id, playback, media))
                state, more = _wait(state, Waiting(turn, WaitKind.SAYING, playback))
                commands += more
            case Record(turn, max_s, silence_s):
                name = RecordingName(resource_id(plan.engine, Kind.RECORDING, plan.call_id, state.next_n))
                commands.append(StartRecording(plan.bridge_id, name, max_s, silence_s))
                state = replace(state, recordings=(*state.recordings, name))
                state, more = _wait(state, Waiting(turn, WaitKind.RECORDING, name))
                commands += more
            case SetOutcome(outcome):
                state = replace(state, flow_outcome=outcome)
            case End(reason):
                finished = reason
    if finished is not None and state.waiting is not None:
        commands.append(CancelTimer(WAIT_TIMER))
    return Turn(state, tuple(commands), finished)


def _wait(state: CallState, waiting: Waiting) -> tuple[CallState, list[Command]]:
    return (
        replace(state, waiting=waiting, next_n=state.next_n + 1),
        [wait_timer(waiting), SaveFlow(waiting.turn)],
    )


def wait_timer(waiting: Waiting) -> SetTimer:
    """The timer of one wait."""
    return SetTimer(WAIT_TIMER, WAIT_S, waiting.turn)


def ask(waiting: Waiting) -> Command:
    """The question whether what is awaited still goes on."""
    match waiting.kind:
        case WaitKind.SAYING:
            return AskPlayback(PlaybackId(waiting.resource))
        case WaitKind.RECORDING:
            return AskRecording(RecordingName(waiting.resource))
        case WaitKind.MEASURING:
            return MeasureRecording(RecordingName(waiting.resource))
