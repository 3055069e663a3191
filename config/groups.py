"""The settings as the engine uses them: one frozen group per subject, handed down from main as values.

Plain dataclasses, so that the rooms below need no pydantic and a test can write `LimitSettings(calls_per_line=1)`.
Reading and checking the environment happens in `config.settings`; nothing here looks at the system. The defaults stand
in both files so that each can be read alone, and a test holds them equal.
"""

import hmac
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Final, Literal

AriTransport = Literal["auto", "websocket", "http"]
DialMethod = Literal["create", "originate"]
LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
PanelLinesKey = Literal["lines", "outbound_lines"]

STT_PROVIDERS: Final = ("vira", "openai", "deepgram", "pocketsphinx", "none")
TTS_PROVIDERS: Final = ("vira", "openai", "espeak", "none")
LLM_PROVIDERS: Final = ("gapgpt", "openai", "none")

ENDPOINT_PLACEHOLDERS: Final = ("number", "digits", "national", "line", "line_last4", "trunk")
"""What `OUTBOUND_ENDPOINT` may name: the number as E.164, its digits, its national form, our line, its last four, the trunk."""


class Secret:
    """A value that prints as stars. Empty means not set; `reveal` is the only way to the text."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself: for the header it belongs in, never for a log or a URL."""
        return self._value

    def matches(self, offered: str) -> bool:
        """Say whether `offered` is this secret, in constant time. An empty secret matches nothing."""
        return bool(self._value) and hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), offered.encode("utf-8", "surrogatepass")
        )

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a listener listens. Port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class CallWindow:
    """The hours in which a person may be called, on their own clock: from `start` until just before `end`."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class AriSettings:
    """How Asterisk is reached, and under which names we appear there."""

    app_name: str
    engine_name: str
    username: str
    password: Secret
    base_url: str = "http://127.0.0.1:8088/ari"
    ws_url: str = "ws://127.0.0.1:8088/ari/events"
    transport: AriTransport = "auto"
    timeout_s: float = 10.0
    rest_sockets: int = 4
    event_queue_size: int = 4096
    ping_interval_s: float = 5.0
    reconnect_max_s: float = 2.5


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The pool shared by panel, vendors and notifiers."""

    max_connections: int = 100
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class DialerSettings:
    """Who is called from which line, and in which form the number is dialled."""

    outbound_numbers: tuple[str, ...] = ()
    """Our lines as registered at start; while the panel is on, its batch says which of them are active."""
    static_contacts: tuple[str, ...] = ()
    """Who to call when the panel is off."""
    endpoint_template: str = "PJSIP/{number}@{trunk}"
    trunk: str = ""
    default_caller_id: str = ""
    method: DialMethod = "create"
    ring_timeout_s: float = 30.0
    batch_size: int = 10
    default_retry_s: float = 60.0
    fail_alert_threshold: int = 3
    default_region: str | None = None
    compliance_pack: str | None = None
    window: CallWindow | None = None


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much may happen at once. The two caps are None when there is no cap."""

    calls_per_line: int = 2
    calls_per_minute: int = 10
    calls_per_day: int = 200
    originations_per_s: float = 3.0
    outbound_cap: int | None = None
    inbound_cap: int | None = None


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Folders for prompts and recordings. None means the folder is not shared with Asterisk."""

    sound_dir: Path | None = Path("/var/lib/asterisk/sounds/custom")
    sound_prefix: str = "custom"
    recording_dir: Path | None = Path("/var/spool/asterisk/recording")
    audio_src_dir: Path = Path("assets/audio/src")
    audio_wav_dir: Path = Path("assets/audio/wav")


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """The campaign panel: off while its address or token is missing."""

    base_url: str = ""
    token: Secret = field(default_factory=Secret)
    company: str = ""
    api_prefix: str = "/api/dialer"
    lines_key: PanelLinesKey = "lines"
    consent: str | None = None
    send_transcript: bool = True

    @property
    def is_enabled(self) -> bool:
        """Whether there is a panel to talk to."""
        return bool(self.base_url and self.token)


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Where a call goes when it goes to a person."""

    extension: str = ""
    trunk: str = ""
    endpoint: str = ""
    """Overrides extension and trunk when set."""
    caller_id: str = ""
    ring_timeout_s: float = 30.0
    mobile_numbers: tuple[str, ...] = ()
    use_panel_agents: bool = False


@dataclass(frozen=True, slots=True)
class SmsSettings:
    """Who is told by text message when dialling stops."""

    base_url: str = ""
    api_key: Secret = field(default_factory=Secret)
    sender: str = ""
    admins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VendorSettings:
    """One vendor's address and key, and what to ask it for. What a vendor has no use for stays empty."""

    base_url: str = ""
    token: Secret = field(default_factory=Secret)
    model: str = ""
    voice: str = ""
    temperature: float | None = None
    verify_tls: bool = True


OPENAI_URL: Final = "https://api.openai.com/v1"
DEEPGRAM_URL: Final = "https://api.deepgram.com/v1"


@dataclass(frozen=True, slots=True)
class SttSettings:
    """Who hears: the first provider is used, the next take over."""

    providers: tuple[str, ...] = ("none",)
    timeout_s: float = 30.0
    max_parallel: int = 50
    vira: VendorSettings = VendorSettings()
    openai: VendorSettings = VendorSettings(base_url=OPENAI_URL, model="whisper-1")
    deepgram: VendorSettings = VendorSettings(base_url=DEEPGRAM_URL, model="nova-3")


@dataclass(frozen=True, slots=True)
class TtsSettings:
    """Who speaks: the first provider is used, the next take over."""

    providers: tuple[str, ...] = ("none",)
    timeout_s: float = 30.0
    max_parallel: int = 50
    vira: VendorSettings = VendorSettings()
    openai: VendorSettings = VendorSettings(base_url=OPENAI_URL, model="gpt-4o-mini-tts", voice="alloy")


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """Who reads: the first provider is used, the next take over."""

    providers: tuple[str, ...] = ("none",)
    timeout_s: float = 20.0
    max_parallel: int = 10
    heuristic_on_error: bool = False
    gapgpt: VendorSettings = VendorSettings(model="gpt-4o-mini", temperature=0.3)
    openai: VendorSettings = VendorSettings(base_url=OPENAI_URL, model="gpt-4o-mini")


@dataclass(frozen=True, slots=True)
class RetellSettings:
    """The Retell custom-LLM listener: off while `bind` is None."""

    bind: Bind | None = None
    token: Secret = field(default_factory=Secret)
    route: str = "llm-websocket"
    scenario: str = "marketing"
    allowed_networks: tuple[str, ...] | None = None
    """Networks a peer may come from; None allows any, as the token still guards the door."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-For is believed; empty believes no one."""
    max_sessions: int = 100
    max_frame_bytes: int = 262_144
    queue_size: int = 256
    idle_timeout_s: float = 5.0
    ping_interval_s: float = 2.0
    write_timeout_s: float = 0.4
    max_write_timeouts: int = 2
    auto_reconnect: bool = True
    call_details: bool = True
    transcript_with_tool_calls: bool = True
    send_update_agent: bool = True
    responsiveness: float = 1.0
    interruption_sensitivity: float = 1.0
    reminder_trigger_ms: int = 450
    reminder_max_count: int = 1


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The page and control API: off while `bind` is None. Without tokens one is made at first start."""

    bind: Bind | None = Bind("127.0.0.1", 8090)
    tokens: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where state lives."""

    data_dir: Path = Path("var")
    run_migrations_on_start: bool = True
    journal_max_bytes: int = 5_000_000


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What bounds one call, and which conversation it starts with."""

    scenarios_dir: Path = Path("config/scenarios")
    inbound_scenario: str = "marketing"
    inbound_wait_s: float = 20.0
    session_ttl_s: float = 1800.0
    max_turns_offer: int = 10
    """After this many turns a person is offered, once."""
    max_turns: int = 50
    mailbox_size: int = 256
    drain_grace_s: float = 30.0
    """How long running calls may go on after SIGTERM."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How much is logged, and in which form."""

    level: LogLevel = "INFO"
    format: LogFormat = "auto"
