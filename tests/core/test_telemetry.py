"""What is counted, and what can never become a label."""

from prometheus_client import CollectorRegistry

from core.telemetry import MAX_LABEL_VALUES, Telemetry


def test_two_engines_count_apart() -> None:
    """Each has its own registry; one process can hold both."""
    first, second = Telemetry(CollectorRegistry()), Telemetry(CollectorRegistry())
    first.ari_events_total.inc("StasisStart")
    first.ari_reconnects_total.inc()
    first.active_calls.inc()
    assert first.value("ari_events_total", type="StasisStart") == 1
    assert first.value("active_calls") == 1
    assert second.value("ari_events_total", type="StasisStart") == 0
    assert second.value("ari_reconnects_total") == 0


def test_labels_stay_a_small_set() -> None:
    """Numbers, ids and free text become "other"; so does whatever comes after the 64th value."""
    telemetry = Telemetry(CollectorRegistry())
    for label in ("+447700900158", "01kdq0000abcdefg", "not interested", "", "x" * 41, "۰۹۱۲"):
        telemetry.calls_total.inc("inbound", label)
    assert telemetry.value("calls_total", direction="inbound", outcome="other") == 6
    for n in range(200):
        telemetry.ari_events_total.inc("T" + "ab"[n % 2] * (n // 8 + 1) + "cdef"[n // 2 % 4])
    types = {
        sample.labels["type"]
        for metric in telemetry.registry.collect()
        for sample in metric.samples
        if sample.name == "linekeeper_ari_events_total"
    }
    assert len(types) <= MAX_LABEL_VALUES + 1
    assert "other" in types


def test_the_exposition_holds_every_name() -> None:
    """A dashboard can be built on these names."""
    telemetry = Telemetry(CollectorRegistry())
    telemetry.ari_requests_total.inc("websocket", "ok")
    telemetry.recovery_actions_total.inc("hang_up", amount=2)
    telemetry.loop_lag_seconds.observe(0.004)
    text = telemetry.exposition().decode()
    for name in (
        'linekeeper_ari_requests_total{outcome="ok",transport="websocket"} 1.0',
        'linekeeper_recovery_actions_total{action="hang_up"} 2.0',
        "linekeeper_ari_unknown_events_total",
        "linekeeper_ari_bad_frames_total",
        "linekeeper_mailbox_full_total",
        "linekeeper_late_events_total",
        "linekeeper_journal_errors_total",
        "linekeeper_orphan_channels_total",
        "linekeeper_loop_lag_seconds_bucket",
    ):
        assert name in text
