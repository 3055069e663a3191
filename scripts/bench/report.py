"""What the steps of a bench of calls come to: the verdict on a step, the figures with what they are to reach, the machine.

Pure but for `machine`, which looks at the machine.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

COMPLETION: Final = 0.99
P99_MS: Final = 500.0
RATE_RATIO: Final = 0.8
LATENCY_RATIO: Final = 1.5


@dataclass(frozen=True, slots=True)
class Step:
    """One rate, offered once. `reasons` says why it failed; none: it passed. Latencies in milliseconds."""

    who: str
    method: str
    rate: int
    offered: int
    completed: int
    came_to: Mapping[str, int]
    latencies_ms: Mapping[str, Mapping[str, float]]
    requests_per_call: float
    cpu_ms_per_call: float
    asterisk_cpu_ms_per_call: float
    cores_busy: Mapping[str, float]
    done_per_s: float
    books: Sequence[str] = ()
    """What store, journals and Asterisk say against it."""
    more: Mapping[str, object] = field(default_factory=dict)

    def latency(self, name: str, percentile: str) -> float | None:
        return self.latencies_ms.get(name, {}).get(percentile)

    @property
    def reasons(self) -> list[str]:
        found = list(self.books)
        if self.completed < COMPLETION * self.offered:
            found.append(f"{self.completed} of {self.offered} calls completed, {COMPLETION:.0%} are needed")
        for name, what in (
            ("stasis_to_bridged_by_asterisk", "StasisStart to bridged"),
            (
                "due_to_asked",
                "the rate was not kept: from when a call was due to when its channel was asked for",
            ),
        ):
            p99 = self.latency(name, "p99")
            if p99 is None:
                found.append(f"{what}: nothing was measured")
            elif p99 > P99_MS:
                found.append(f"{what}: p99 {p99:.0f} ms, at most {P99_MS:.0f} are allowed")
        return found

    @property
    def passed(self) -> bool:
        return not self.reasons

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "reasons": self.reasons, "passed": self.passed}

    def sentence(self) -> str:
        """One line for whoever watches."""
        bridged, playing = (
            self.latencies_ms.get("stasis_to_bridged", {}),
            self.latency("answered_to_playing", "p50"),
        )
        text = f"{self.who} ({self.method}) at {self.rate}/s: {self.completed}/{self.offered}"
        if bridged:
            text += f", bridged p50 {bridged['p50']:.2f} p99 {bridged['p99']:.1f} ms"
        if playing is not None:
            text += f", answer to playing p50 {playing:.2f} ms"
        busy = self.cores_busy
        text += f", {self.cpu_ms_per_call:.1f} ms cpu a call, others {busy.get('others_cores', 0):.2f} cores"
        return text + ("" if self.passed else f"  FAILED: {'; '.join(self.reasons)}")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that was promised. `value` is None when there was nothing to divide by."""

    name: str
    value: float | None
    to_reach: str
    reached: bool
    basis: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "verdict": "reached" if self.reached else "MISSED"}


def rate_figure(engine: Sequence[int], bare: Sequence[int], *, bare_at_the_top: bool) -> Figure:
    """The ratio of the median highest rates."""
    ratio = _ratio(median(engine) if engine else None, median(bare) if bare else None)
    return Figure(
        "highest rate, engine / bare client",
        ratio,
        f">= {RATE_RATIO:g}",
        ratio is not None and ratio >= RATE_RATIO,
        {"engine": list(engine), "bare": list(bare), "bare_passed_the_whole_ramp": bare_at_the_top},
    )


def latency_figure(engine: Sequence[Step], bare: Sequence[Step], *, what: str) -> Figure:
    """The ratio of the median p50 from StasisStart to bridged. A step with faults in its books counts for nothing."""
    ours, theirs = _p50s(engine), _p50s(bare)
    ratio = _ratio(median(ours) if ours else None, median(theirs) if theirs else None)
    sound = all(not step.books and step.completed >= COMPLETION * step.offered for step in (*engine, *bare))
    return Figure(
        f"StasisStart to bridged, p50, engine / {what}",
        ratio,
        f"<= {LATENCY_RATIO:g}",
        ratio is not None and ratio <= LATENCY_RATIO and sound,
        {"engine_ms": ours, "bare_ms": theirs, "sound": sound},
    )


def _p50s(steps: Sequence[Step]) -> list[float]:
    return [p50 for step in steps if (p50 := step.latency("stasis_to_bridged", "p50")) is not None]


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or not theirs else round(ours / theirs, 3)


def method_rows(steps: Sequence[Step]) -> list[dict[str, object]]:
    """Create + dial beside originate: medians over the runs, for each rate."""
    rows = []
    for rate, method in sorted({(step.rate, step.method) for step in steps}):
        these = [step for step in steps if (step.rate, step.method) == (rate, method)]
        row: dict[str, object] = {
            "rate": rate,
            "method": method,
            "completion": min(step.completed / step.offered for step in these),
            "cpu_ms_per_call": median(step.cpu_ms_per_call for step in these),
            "asterisk_cpu_ms_per_call": median(step.asterisk_cpu_ms_per_call for step in these),
            "requests_per_call": median(step.requests_per_call for step in these),
        }
        for name in (
            "stasis_to_bridged",
            "dial_to_answered",
            "answered_to_first_request",
            "answered_to_playing",
            "due_to_playing",
        ):
            for percentile in ("p50", "p99"):
                values = [value for step in these if (value := step.latency(name, percentile)) is not None]
                row[f"{name}_{percentile}_ms"] = round(median(values), 3) if values else None
        rows.append(row)
    return rows


def faster_safe_method(rows: Sequence[Mapping[str, object]]) -> str | None:
    """The method with the shorter silence after the answer (median p50 over the rates), among those that lose no calls."""
    silences: dict[str, list[float]] = {}
    unsafe = set()
    for row in rows:
        method, silence, completion = str(row["method"]), row["answered_to_playing_p50_ms"], row["completion"]
        if not isinstance(completion, int | float) or completion < COMPLETION:
            unsafe.add(method)
        if isinstance(silence, int | float):
            silences.setdefault(method, []).append(silence)
    safe = {method: median(values) for method, values in silences.items() if method not in unsafe}
    return min(safe, key=lambda method: safe[method], default=None)


def machine(asterisk_version: str) -> dict[str, object]:
    """What it was measured on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "asterisk": asterisk_version,
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }
