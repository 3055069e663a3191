"""Knows which calls exist: gives each event to the call it concerns, lets callers in, and places calls.

It is the listener's counterpart on our side: `event` is synchronous and never waits, so that one slow call cannot stop
the reader. Each call is a task of the manager's group and leaves every index when it ends.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from core.ari_fields import UnknownEvent
from core.ari_models import Event, StasisStart
from core.clock import unix_ms
from core.errors import JournalError
from core.ids import BridgeId, CallId, ChannelId, Kind, new_call_id, resource_id
from core.journal import Journal
from core.logs import log_event
from core.store import CallRow, DialPermit, Direction
from core.telemetry import Telemetry
from logic.flow.compiled import CompiledFlow
from logic.reconcile import KnownCall
from logic.scenario_registry import ScenarioRegistry
from sessions.admission import Accept, Arrival, Decline, Doors, admit
from sessions.call import Call, CallParts
from sessions.chores import Chores, HangUpOrphan, SendOn
from sessions.dialling import endpoint_for
from sessions.errors import NoEndpoint, NotDialling, UnknownScenario
from sessions.events import CallEvent, Entered, StopRequested
from sessions.models import CallPlan, DialMethod, LegState
from sessions.report import CallReport
from sessions.routing import Index, translate

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 2000
"""How many ended callers' channels are remembered, so that one we could not hang up is not taken for a new caller."""


@dataclass(frozen=True, slots=True)
class CallRules:
    """How this engine makes its calls. Durations in seconds."""

    engine: str
    app: str
    engine_run: str
    journal_folder: Path
    endpoint_template: str = "PJSIP/{number}@{trunk}"
    trunk: str = ""
    method: DialMethod = "create"
    ring_timeout_s: float = 30.0
    ttl_s: float = 1800.0
    max_turns: int = 50
    """After so many turns a conversation ends, whatever its scenario allows."""
    sound_prefix: str = "custom"
    journal_max_bytes: int = 5_000_000
    takes_inbound: bool = True
    inbound_scenario: str = "marketing"
    inbound_cap: int | None = None


class SessionManager:
    """The calls of one engine. Use it as an async context manager: leaving it waits for every call to end."""

    def __init__(
        self,
        rules: CallRules,
        parts: CallParts,
        scenarios: ScenarioRegistry,
        chores: Chores,
        telemetry: Telemetry,
        rng: random.Random,
    ) -> None:
        self.rules = rules
        self.scenarios = scenarios
        self.is_draining = False
        self.wants_sweep = asyncio.Event()
        """Set when something may be left over in Asterisk: compare soon."""
        self._parts = parts
        self._chores = chores
        self._telemetry = telemetry
        self._rng = rng
        self._index = Index(rules.engine)
        self._calls: dict[CallId, Call] = {}
        self._ended_callers: OrderedDict[ChannelId, CallId] = OrderedDict()
        self._group = asyncio.TaskGroup()
        self._none_left = asyncio.Event()
        self._none_left.set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(kind, error, trace)
        else:  # whatever went wrong above, the calls end by their own closing routine
            await self._group.__aexit__(None, None, None)

    # -------------------------------------------------------------------------------------------- what exists

    @property
    def calls(self) -> Mapping[CallId, Call]:
        """The calls that live now."""
        return self._calls

    @property
    def indexed_callers(self) -> int:
        """How many inbound channels the index holds."""
        return len(self._index)

    def known_calls(self) -> tuple[KnownCall, ...]:
        """The living calls, with the channels of theirs that Asterisk should have."""
        return tuple(
            KnownCall(
                call.call_id,
                (call.plan.channel_id,)
                if call.state.customer.state in {LegState.HERE, LegState.JOINED}
                else (),
            )
            for call in self._calls.values()
        )

    @property
    def ended_callers(self) -> Mapping[ChannelId, CallId]:
        """Channels of callers whose call has ended here."""
        return self._ended_callers

    # -------------------------------------------------------------------------------------------- events

    def event(self, event: Event | UnknownEvent) -> None:
        """Give an event to the call it concerns. Never waits, never raises for what Asterisk may send."""
        found = translate(event)
        if found is None:
            if isinstance(event, UnknownEvent):
                self._telemetry.ari_unknown_events_total.inc()
            return
        subject, call_event = found
        call_id = self._index.call_of(subject)
        call = None if call_id is None else self._calls.get(call_id)
        if call is not None:
            call.post(call_event)
        elif isinstance(call_event, Entered) and isinstance(event, StasisStart):
            self._stranger(event, is_ours=call_id is not None)
        elif call_id is not None or subject in self._ended_callers:
            self._telemetry.late_events_total.inc(type(call_event).__name__)

    def _stranger(self, event: StasisStart, *, is_ours: bool) -> None:
        """A channel that enters and belongs to no living call: an orphan of ours, or a caller."""
        channel_id = ChannelId(event.channel.id)
        if is_ours or self._index.is_leg(channel_id):
            self._telemetry.orphan_channels_total.inc()
            self._chores.add(HangUpOrphan(channel_id))
            return
        if channel_id in self._ended_callers:
            self._telemetry.late_events_total.inc(Entered.__name__)
            return
        channel = event.channel
        self.arrive(Arrival(channel_id, event.args, channel.caller.number, channel.dialplan.exten))

    def arrive(self, arrival: Arrival) -> None:
        """Let a caller in, or send them on in the dialplan."""
        rules = self.rules
        inbound = sum(1 for call in self._calls.values() if call.plan.direction == "inbound")
        doors = Doors(
            takes_inbound=rules.takes_inbound,
            is_draining=self.is_draining,
            inbound_now=inbound,
            cap=rules.inbound_cap,
            scenario=rules.inbound_scenario,
            known_scenarios=frozenset(self.scenarios.flows),
        )
        channel_id = ChannelId(arrival.channel_id)
        match admit(arrival, doors):
            case Accept(scenario, line):
                call_id = self._new_call_id()
                plan = self._plan(
                    call_id, "inbound", scenario, number=arrival.caller, line=line, channel_id=channel_id
                )
                self._index.add_caller(channel_id, call_id)
                if self._begin(plan, permit=None) is None:
                    self._chores.add(SendOn(channel_id))
            case Decline(reason):
                log_event(_log, logging.INFO, "caller_sent_on", reason=reason)
                self._chores.add(SendOn(channel_id))

    # -------------------------------------------------------------------------------------------- placing

    def place(self, permit: DialPermit, *, endpoint: str | None = None, caller_id: str = "") -> Call:
        """Begin an outbound call. The permit says whom, from which line and with which scenario; without one, no call.

        Raises UnknownScenario, NotDialling.
        """
        if self.is_draining:
            raise NotDialling("the engine is stopping and places no more calls")
        rules = self.rules
        self.check_scenario(permit.scenario)
        plan = self._plan(
            permit.call_id,
            "outbound",
            permit.scenario,
            number=permit.number,
            line=permit.line,
            channel_id=ChannelId(resource_id(rules.engine, Kind.CUSTOMER, permit.call_id)),
            endpoint=endpoint
            or endpoint_for(
                rules.endpoint_template, number=permit.number, line=permit.line, trunk=rules.trunk
            ),
            caller_id=caller_id or permit.line,
        )
        call = self._begin(plan, permit)
        if call is None:
            raise NotDialling("the call's journal could not be opened; see the log")
        return call

    def check_scenario(self, name: str) -> None:
        """Raises UnknownScenario with the names there are, or why the file of that name was refused."""
        if name in self.scenarios.flows:
            return
        known = ", ".join(sorted(self.scenarios.flows)) or "none"
        for refusal in self.scenarios.refused.values():
            if Path(refusal.file).stem == name:
                raise UnknownScenario(f"scenario {name!r} was refused; loaded: {known}\n{refusal}")
        raise UnknownScenario(
            f"there is no scenario {name!r}; loaded: {known} (a running engine reads its scenarios at start)"
        )

    def check_endpoint(self, endpoint: str | None) -> None:
        """Raises NoEndpoint when no endpoint is given and the settings make none."""
        if not endpoint and "{trunk}" in self.rules.endpoint_template and not self.rules.trunk:
            raise NoEndpoint(
                "OUTBOUND_TRUNK is not set, so no number can be dialled: set it, or OUTBOUND_ENDPOINT, or name an endpoint"
            )

    def new_call_id(self) -> CallId:
        """An id for a call that is about to be permitted."""
        return self._new_call_id()

    def _new_call_id(self) -> CallId:
        return new_call_id(unix_ms(self._parts.clock.wall()), self._rng)

    def _plan(
        self,
        call_id: CallId,
        direction: str,
        scenario: str,
        *,
        number: str,
        line: str,
        channel_id: ChannelId,
        endpoint: str = "",
        caller_id: str = "",
    ) -> CallPlan:
        rules = self.rules
        flow = at_most(self.scenarios.flows[scenario], rules.max_turns)
        return CallPlan(
            call_id=call_id,
            engine=rules.engine,
            direction="inbound" if direction == "inbound" else "outbound",
            number=number,
            line=line,
            channel_id=channel_id,
            bridge_id=BridgeId(resource_id(rules.engine, Kind.BRIDGE, call_id)),
            flow=flow,
            endpoint=endpoint,
            caller_id=caller_id,
            method=rules.method,
            ring_timeout_s=rules.ring_timeout_s,
            ttl_s=min(rules.ttl_s, flow.limits.max_call_s),
            sound_prefix=rules.sound_prefix,
        )

    def _begin(self, plan: CallPlan, permit: DialPermit | None) -> Call | None:
        try:
            journal = Journal.open(
                self.rules.journal_folder,
                journal_header(plan),
                at=self._parts.clock.wall(),
                max_bytes=self.rules.journal_max_bytes,
            )
        except JournalError as error:
            log_event(_log, logging.ERROR, "journal_not_opened", call_id=plan.call_id, error=str(error))
            self._telemetry.journal_errors_total.inc()
            self._index.remove_caller(plan.channel_id)
            return None
        call = Call(plan, self._parts, journal, permit)
        self._calls[plan.call_id] = call
        self._none_left.clear()
        self._telemetry.active_calls.inc()
        log_event(
            _log,
            logging.INFO,
            "call_began",
            call_id=plan.call_id,
            direction=plan.direction,
            scenario=plan.flow.id,
        )
        self._group.create_task(self._host(call), name=f"call {plan.call_id}")
        return call

    async def _host(self, call: Call) -> None:
        """Carry one call from its row in the store to its last index entry."""
        plan = call.plan
        report: CallReport | None = None
        try:
            self._open_row(call)
            report = await call.run()
        except Exception as error:  # noqa: BLE001  # the last supervisor: one call must not take the others along
            log_event(_log, logging.ERROR, "call_broke", call_id=plan.call_id, exc_info=error)
            call.leftovers = True
        finally:
            self._forget(call, report)

    def _open_row(self, call: Call) -> None:
        plan, permit = call.plan, call.permit
        row = CallRow(
            call_id=plan.call_id,
            engine=plan.engine,
            app=self.rules.app,
            engine_run=self.rules.engine_run,
            direction=Direction(plan.direction),
            state="begun",
            started_at=self._parts.clock.wall(),
            scenario=plan.flow.id,
            flow_hash=plan.flow.flow_hash,
            number=plan.number,
            line=plan.line,
            bridge_id=plan.bridge_id,
            customer_channel=plan.channel_id,
            permit_id=None if permit is None else permit.permit_id,
            attempt_id=None if permit is None else permit.attempt_id,
            journal=call.journal_path,
        )
        if not self._parts.store.calls.open_call(row):
            log_event(_log, logging.ERROR, "call_row_dropped", call_id=plan.call_id)
            call.post(StopRequested("store_full"))

    def _forget(self, call: Call, report: CallReport | None) -> None:
        plan = call.plan
        self._calls.pop(plan.call_id, None)
        if plan.direction == "inbound":
            self._index.remove_caller(plan.channel_id)
            self._ended_callers[plan.channel_id] = plan.call_id
            if len(self._ended_callers) > _REMEMBERED:
                self._ended_callers.popitem(last=False)
        if not self._calls:
            self._none_left.set()
        outcome = "crashed" if report is None else report.outcome.value
        self._telemetry.active_calls.dec()
        self._telemetry.calls_total.inc(plan.direction, outcome)
        if call.leftovers:
            self.wants_sweep.set()
        call.finished.set()
        if report is not None:
            log_event(
                _log,
                logging.INFO,
                "call_ended",
                call_id=plan.call_id,
                direction=plan.direction,
                scenario=plan.flow.id,
                outcome=outcome,
                reason=report.reason,
                answered=report.answered,
                duration_s=round(report.duration_s, 3),
                hangup_cause=report.hangup_cause,
                error=report.error or None,
            )

    # -------------------------------------------------------------------------------------------- ending

    def tell(self, call_id: CallId, event: CallEvent) -> None:
        """Post something to a call, if it still lives."""
        call = self._calls.get(call_id)
        if call is not None:
            call.post(event)

    def stop_all(self, reason: str) -> None:
        """Ask every call to end by the closing routine."""
        for call in tuple(self._calls.values()):
            call.post(StopRequested(reason))

    async def none_left(self) -> None:
        """Wait until no call lives."""
        await self._none_left.wait()


def at_most(flow: CompiledFlow, max_turns: int) -> CompiledFlow:
    """The scenario with its turns bounded by the engine's own limit, too."""
    limits = flow.limits
    if limits.max_turns is not None and limits.max_turns <= max_turns:
        return flow
    return replace(flow, limits=replace(limits, max_turns=max_turns))


def journal_header(plan: CallPlan) -> dict[str, object]:
    """The first line of a call's journal: all that is needed to run it again."""
    return {
        "call_id": plan.call_id,
        "engine": plan.engine,
        "direction": plan.direction,
        "number": plan.number,
        "line": plan.line,
        "scenario": plan.flow.id,
        "flow_hash": plan.flow.flow_hash,
        "channel_id": plan.channel_id,
        "bridge_id": plan.bridge_id,
        "endpoint": plan.endpoint,
        "caller_id": plan.caller_id,
        "method": plan.method,
        "ring_timeout_s": plan.ring_timeout_s,
        "ttl_s": plan.ttl_s,
        "sound_prefix": plan.sound_prefix,
    }
