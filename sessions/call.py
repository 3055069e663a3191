"""One call, alive: one mailbox, one deciding task, and children that only post to the mailbox.

The loop takes an event, writes it down, decides, writes down what was decided, and hands the commands to the one child
that carries them out in order. It ends when the decider has decided an ending; then the closing routine runs, and the
outcome goes to disk. A fault of ours inside a call ends that call by the same routine and no other.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Final

from core.ari_client import AriClient
from core.clock import Clock
from core.errors import JournalError, StoreError
from core.ids import CallId
from core.journal import Journal
from core.logs import log_event
from core.store import DialPermit, Store
from core.telemetry import Telemetry
from logic.outcomes import Outcome
from sessions.closing import Closed, close_in_asterisk
from sessions.commands import CancelTimer, Command, NoteAnswered, SaveFlow, SetTimer
from sessions.deciding import begin, decide
from sessions.effects import Doer
from sessions.events import Begin, CallEvent, Done, Failed, StopRequested, TimerFired
from sessions.mailbox import Mailbox
from sessions.models import CallPlan, CallState, Ending
from sessions.report import CallReport
from sessions.timeline import Timeline, describe

_log = logging.getLogger(__name__)

_OUTBOX_SIZE: Final = 64
_LAST_COMMAND_S: Final = 1.0
"""How long the closing routine waits for the command under way before it goes ahead."""


@dataclass(frozen=True, slots=True)
class CallParts:
    """What a call is made of besides its plan."""

    app: str
    client: AriClient
    store: Store
    clock: Clock
    telemetry: Telemetry
    mailbox_size: int = 256


class Call:
    """A call. `post` is its only door; `run` lives it to the end."""

    def __init__(
        self, plan: CallPlan, parts: CallParts, journal: Journal, permit: DialPermit | None = None
    ) -> None:
        self.plan = plan
        self.permit = permit
        self.timeline = Timeline()
        self.leftovers = False
        """Set by closing: something of this call may still be, or appear, in Asterisk."""
        self.report: CallReport | None = None
        self.finished = asyncio.Event()
        """Set when nothing of this call is left: its report is there, or the log says why there is none."""
        self._parts = parts
        self._clock = parts.clock
        self._client = parts.client.for_call(plan.call_id)
        self._journal = journal
        self._mailbox = Mailbox(parts.mailbox_size)
        self._state = begin(plan, parts.clock.now())
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._outbox: asyncio.Queue[Command | None] = asyncio.Queue(_OUTBOX_SIZE)
        self._doer = Doer(
            plan=plan,
            app=parts.app,
            client=self._client,
            store=parts.store,
            clock=parts.clock,
            permit=permit,
        )

    @property
    def call_id(self) -> CallId:
        return self.plan.call_id

    @property
    def journal_path(self) -> str:
        """Where the journal of this call lies."""
        return str(self._journal.path)

    @property
    def state(self) -> CallState:
        """What the call knows now; a value, safe to keep."""
        return self._state

    def post(self, event: CallEvent) -> None:
        """Tell the call something. Never waits; what finds no room ends the call politely."""
        if not self._mailbox.post(event):
            self._parts.telemetry.mailbox_full_total.inc()

    async def run(self) -> CallReport:
        """Live the call to its end and say how it ended. Raises only CancelledError."""
        try:
            await self._live()
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._timeline_ends()
        try:
            return await self._close()
        finally:
            self._journal.close()

    async def _live(self) -> None:
        self.post(Begin())
        try:
            async with asyncio.TaskGroup() as children:
                worker = children.create_task(self._work(), name=f"work {self.call_id}")
                while self._state.ending is None:
                    self._handle(await self._mailbox.get())
                await self._dismiss(worker)
        except* Exception as faults:  # noqa: BLE001  # the call's supervisor: one call's fault must not become another's
            log_event(_log, logging.ERROR, "call_crashed", call_id=self.call_id, exc_info=faults)
            self._state, _ = decide(self._state, StopRequested("crashed"), self._clock.now())

    def _handle(self, event: CallEvent) -> None:
        """One event: decide, write both down in one line, and only then act."""
        now = self._clock.now()
        at_s = now - self._state.began_at
        line = as_json(event)
        try:
            state, commands = decide(self._state, event, now)
        except BaseException:
            self._note("in", at_s, line)
            raise
        if commands:
            line["out"] = [as_json(command) for command in commands]
        self._note("in", at_s, line)
        if (entry := describe(event)) is not None:
            self.timeline.add(at_s, *entry)
        self._state = state
        for command in commands:
            self._dispatch(command)

    def _note(self, kind: str, at_s: float, data: Mapping[str, object]) -> None:
        """One line of the journal. A disk that refuses costs the record, never the call."""
        try:
            self._journal.write(kind, at_s, data)
        except JournalError as error:
            self._parts.telemetry.journal_errors_total.inc()
            log_event(_log, logging.ERROR, "journal_not_written", call_id=self.call_id, error=str(error))

    def _dispatch(self, command: Command) -> None:
        match command:
            case SetTimer(name, after_s, n):
                self._cancel_timer(name)
                loop = asyncio.get_running_loop()
                self._timers[name] = loop.call_later(after_s, self.post, TimerFired(name, n))
            case CancelTimer(name):
                self._cancel_timer(name)
            case NoteAnswered():
                self._parts.store.calls.mark_answered(self.call_id, at=self._clock.wall())
            case SaveFlow(turn):
                self._parts.store.flow_states.save_flow_state(
                    self.call_id, turn, self._state.flow.to_json(), at=self._clock.wall()
                )
            case _ if self._outbox.full():
                self.post(StopRequested("mailbox_full"))
            case _:
                self._outbox.put_nowait(command)

    def _cancel_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    async def _work(self) -> None:
        """Carry out commands one after another: the one child that talks to Asterisk."""
        while (command := await self._outbox.get()) is not None:
            if self._state.ending is None:
                self.post(await self._doer.carry_out(command))

    async def _dismiss(self, worker: asyncio.Task[None]) -> None:
        """Let the command under way finish, so that nothing is made after we have cleaned up; but not for long."""
        if self._outbox.full():
            self._outbox.get_nowait()
        self._outbox.put_nowait(None)
        await asyncio.wait({worker}, timeout=_LAST_COMMAND_S)
        if not worker.done():
            self.leftovers = True
            worker.cancel()

    def _timeline_ends(self) -> None:
        ending = self._state.ending
        if ending is not None:
            self.timeline.add(self._clock.now() - self._state.began_at, "ended", ending.outcome.value)
        self.timeline.finish()

    async def _close(self) -> CallReport:
        """The closing routine: Asterisk first, because somebody may still be listening to silence; then the books."""
        state = self._state
        ending = state.ending or Ending(Outcome.FAILED_TECHNICAL, "crashed")
        ended_at = self._clock.now()
        closed = await close_in_asterisk(state, self._client)
        self.leftovers |= closed.leftovers
        self.report = self._make_report(state, ending, closed, ended_at)
        self._note_what_came_late()
        # The journal first: should the store refuse, or the process die in between, the next start reads it there.
        self._note("end", ended_at - state.began_at, {"outcome": ending.outcome, "reason": ending.reason})
        await self._write_down(self.report)
        return self.report

    def _note_what_came_late(self) -> None:
        """Events that came after the ending was decided change nothing, but the journal and the counter know them."""
        while (event := self._mailbox.take()) is not None:
            self._note("late", self._clock.now() - self._state.began_at, as_json(event))
            self._parts.telemetry.late_events_total.inc(type(event).__name__)

    def _make_report(self, state: CallState, ending: Ending, closed: Closed, ended_at: float) -> CallReport:
        answered_at = state.customer.answered_at
        return CallReport(
            call_id=self.call_id,
            outcome=ending.outcome,
            answered=answered_at is not None,
            hangup_cause=closed.hangup_cause,
            duration_s=0.0 if answered_at is None else ended_at - answered_at,
            bridge_id=self.plan.bridge_id,
            recordings=state.recordings,
            timeline=tuple(self.timeline.to_json()),
            direction=self.plan.direction,
            scenario=self.plan.flow.id,
            number=self.plan.number,
            line=self.plan.line,
            reason=ending.reason,
            error=ending.error,
        )

    async def _write_down(self, report: CallReport) -> None:
        try:
            is_first = await self._parts.store.calls.finish_call(
                report.call_id,
                report.outcome.value,
                at=self._clock.wall(),
                hangup_cause=report.hangup_cause,
                dial_status=self._state.customer.dial_status or None,
                error=report.error or None,
                recordings=report.recordings,
            )
            if not is_first:
                log_event(_log, logging.ERROR, "outcome_had_no_row", call_id=self.call_id)
        except StoreError as error:  # the journal still holds it, and the next start finishes the row
            log_event(_log, logging.ERROR, "outcome_not_stored", call_id=self.call_id, error=str(error))


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def as_json(value: CallEvent | Command) -> dict[str, object]:
    """An event or command as the journal keeps it: its type under "is", and its fields."""
    kind = type(value)
    data: dict[str, object] = {"is": kind.__name__}
    for name in _names(kind):  # type: ignore[arg-type]  # a type is hashable; mypy doubts it for a union
        data[name] = getattr(value, name)
    if isinstance(value, Done | Failed):
        data["command"] = as_json(value.command)
    return data
