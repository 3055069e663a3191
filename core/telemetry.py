"""What the engine counts, for Prometheus. The registry is handed in, so two engines in one process count apart.

Labels come from small fixed sets. Where a value comes from outside (an event's name), it must look like a name, and a
label has at most 64 values; anything else is counted as "other". A telephone number or an id can never become a label.
"""

import re
from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

NAMESPACE: Final = "linekeeper"
OTHER: Final = "other"
MAX_LABEL_VALUES: Final = 64

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
_LAG_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class LabelledCounter:
    """A counter whose labels cannot run away."""

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._counter = Counter(name, text, labels, namespace=NAMESPACE, registry=registry)
        self._known: list[set[str]] = [set() for _ in labels]
        self._series: dict[tuple[str, ...], Counter] = {}

    def inc(self, *labels: str, amount: float = 1) -> None:
        """Count one more. The labels in the order of their declaration."""
        series = self._series.get(labels)
        if series is None:
            series = self._admit(labels)
        series.inc(amount)

    def _admit(self, labels: tuple[str, ...]) -> Counter:
        names = tuple(_admitted(label, known) for label, known in zip(labels, self._known, strict=True))
        series = self._counter.labels(*names)
        if names == labels:  # what became "other" is not kept: strangers could fill the memory
            self._series[labels] = series
        return series


def _admitted(label: str, known: set[str]) -> str:
    if label in known:
        return label
    if len(known) >= MAX_LABEL_VALUES or not _NAME.fullmatch(label):
        return OTHER
    known.add(label)
    return label


class Telemetry:
    """The engine's counters and gauges, by the name they have in Prometheus (there with `linekeeper_` in front)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, text: str) -> Counter:
            return Counter(name, text, namespace=NAMESPACE, registry=registry)

        def labelled(name: str, text: str, *labels: str) -> LabelledCounter:
            return LabelledCounter(name, text, labels, registry)

        self.ari_events_total = labelled("ari_events_total", "Events from Asterisk", "type")
        self.ari_unknown_events_total = counter("ari_unknown_events_total", "Events of a type not known")
        self.ari_bad_frames_total = counter("ari_bad_frames_total", "Frames that were no event")
        self.ari_reconnects_total = counter("ari_reconnects_total", "Event connections made again")
        self.ari_requests_total = labelled(
            "ari_requests_total", "Requests to Asterisk", "transport", "outcome"
        )
        self.late_events_total = labelled("late_events_total", "Events for calls already over", "event")
        self.mailbox_full_total = counter("mailbox_full_total", "Calls ended because their mailbox was full")
        self.calls_total = labelled("calls_total", "Calls that ended", "direction", "outcome")
        self.journal_errors_total = counter("journal_errors_total", "Journals that could not be written")
        self.orphan_channels_total = counter("orphan_channels_total", "Channels of ours without a call")
        self.recovery_actions_total = labelled("recovery_actions_total", "What recovery did", "action")
        self.active_calls = Gauge("active_calls", "Calls now", namespace=NAMESPACE, registry=registry)
        self.loop_lag_seconds = Histogram(
            "loop_lag_seconds",
            "How late the event loop runs its timers",
            namespace=NAMESPACE,
            registry=registry,
            buckets=_LAG_BUCKETS_S,
        )

    def value(self, name: str, **labels: str) -> float:
        """What a counter or gauge stands at; 0 for a series that nobody has counted yet."""
        return self.registry.get_sample_value(f"{NAMESPACE}_{name}", labels) or 0.0

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
