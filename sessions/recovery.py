"""Makes Asterisk and us agree again: after every connect, and whenever something may be left over.

It lists what Asterisk has, lets `logic.reconcile` compare, and carries the result out: calls are told what they missed,
orphans go to the chores. What earlier engines on this data folder left behind, in Asterisk and in the store, is ended
here too.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from core.ari_client import AriClient
from core.ari_models import Channel
from core.clock import Clock
from core.errors import AriGone, JournalError
from core.ids import BridgeId, CallId, ChannelId
from core.journal import read_journal
from core.logs import log_event
from core.store import CallRow, Store
from core.telemetry import Telemetry
from logic.outcomes import Outcome
from logic.reconcile import (
    Action,
    Admit,
    Adopt,
    DeleteBridge,
    Found,
    FoundBridge,
    HangUp,
    Known,
    Vanish,
    reconcile,
)
from sessions.admission import Arrival
from sessions.chores import Chores, DeleteEmptyBridge, HangUpOrphan
from sessions.events import Resynced, Vanished
from sessions.forebears import Forebear
from sessions.manager import SessionManager

_log = logging.getLogger(__name__)

UNDIALLED_AFTER: Final = timedelta(minutes=5)
"""A permit so old that has not dialled belongs to an engine that died before it could; no living one waits so long."""

_NAMES: Final = {
    Vanish: "vanish",
    Adopt: "adopt",
    HangUp: "hang_up",
    Admit: "admit",
    DeleteBridge: "delete_bridge",
}


class Recovery:
    """Compares and mends. `forebears` are the engines that died here and whose remains are ours to clear."""

    def __init__(
        self,
        manager: SessionManager,
        client: AriClient,
        store: Store,
        chores: Chores,
        clock: Clock,
        telemetry: Telemetry,
        forebears: Collection[Forebear] = (),
    ) -> None:
        self._manager = manager
        self._client = client
        self._store = store
        self._chores = chores
        self._clock = clock
        self._telemetry = telemetry
        self._forebears = tuple(forebears)
        self._remembered: dict[ChannelId, CallId] = {}
        self.has_compared = False
        """Whether Asterisk was asked at least once, so that what forebears left is on its way out."""

    async def end_what_died(self) -> list[CallId]:
        """Once, at start: end in the store what earlier runs left unfinished.

        A call whose end stands in its journal has that outcome. One that was answered is `lost`; one whose dial may have left without our ever knowing is `unknown`. Returns
        their ids. Their channels are remembered, so that the comparison hangs them up.
        """
        rules = self._manager.rules
        ended: list[CallId] = []
        for engine in dict.fromkeys((rules.engine, *(forebear.engine for forebear in self._forebears))):
            for row in await self._store.calls.unfinished_calls(engine):
                if row.engine_run == rules.engine_run:
                    continue
                if row.customer_channel:
                    self._remembered[ChannelId(row.customer_channel)] = row.call_id
                await self._end(row)
                ended.append(row.call_id)
        now = self._clock.wall()
        await self._store.attempts.end_undialled(Outcome.NOT_SENT.value, before=now - UNDIALLED_AFTER, at=now)
        if ended:
            log_event(_log, logging.WARNING, "calls_of_a_dead_engine_ended", calls=len(ended))
        return ended

    async def _end(self, row: CallRow) -> None:
        async with self._clock.real_work():
            outcome = await asyncio.to_thread(_outcome_in_journal, row.journal)
        error = None
        if outcome is None:
            outcome = Outcome.UNKNOWN if row.answered_at is None else Outcome.LOST
            error = "the engine died while this call went on"
        await self._store.calls.finish_call(row.call_id, outcome.value, at=self._clock.wall(), error=error)

    async def compare(self) -> tuple[Action, ...]:
        """List, compare, mend; returns what was done. Raises AriError when Asterisk cannot be asked."""
        before = self._manager.known_calls()
        channels = {ChannelId(channel.id): channel for channel in await self._client.channels.list()}
        rules = self._manager.rules
        in_app: set[ChannelId] = set()
        for app in dict.fromkeys((rules.app, *(forebear.app for forebear in self._forebears))):
            in_app |= await self._channels_of(app)
        found = Found(
            channel_ids=frozenset(channels),
            in_app=frozenset(in_app & set(channels)),
            bridges=tuple(
                FoundBridge(BridgeId(bridge.id), tuple(ChannelId(channel) for channel in bridge.channels))
                for bridge in await self._client.bridges.list()
            ),
        )
        elders = {call.call_id for call in before}
        known = Known(
            engines=frozenset({rules.engine, *(forebear.engine for forebear in self._forebears)}),
            calls=before,
            younger=tuple(call for call in self._manager.known_calls() if call.call_id not in elders),
            remembered=self._remembered | dict(self._manager.ended_callers),
        )
        actions = reconcile(found, known)
        for action in actions:
            self._carry_out(action, channels)
        self.has_compared = True
        return actions

    async def _channels_of(self, app: str) -> set[ChannelId]:
        try:
            application = await self._client.applications.get(app)
        except AriGone:
            return set()
        return {ChannelId(channel) for channel in application.channel_ids}

    def _carry_out(self, action: Action, channels: Mapping[ChannelId, Channel]) -> None:
        self._telemetry.recovery_actions_total.inc(_NAMES[type(action)])
        match action:
            case Vanish(call_id, channel_id):
                self._manager.tell(call_id, Vanished(channel_id))
            case Adopt(call_id):
                self._manager.tell(call_id, Resynced())
            case HangUp(channel_id):
                self._chores.add(HangUpOrphan(channel_id))
            case DeleteBridge(bridge_id):
                self._chores.add(DeleteEmptyBridge(bridge_id))
            case Admit(channel_id):
                channel = channels[channel_id]
                # The arguments of Stasis() came with the StasisStart that was missed; the line is in the dialplan still.
                self._manager.arrive(
                    Arrival(channel_id, ("inbound",), channel.caller.number, channel.dialplan.exten)
                )


def _outcome_in_journal(path: str | None) -> Outcome | None:
    """How the call ended, if it had ended before the engine died and only the store does not know."""
    if not path:
        return None
    try:
        record = read_journal(Path(path))
        ends = [line.data["outcome"] for line in record.lines if line.kind == "end"]
        return Outcome(str(ends[-1])) if ends else None
    except (JournalError, OSError, KeyError, ValueError):
        return None
