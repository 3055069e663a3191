"""Reads the settings: the environment, then `.env`, then the defaults; checks all of them, and hands them down in groups.

`get_settings` is called once, by main (or by a command), and nothing below imports this module: what a room needs
arrives as one of the groups of `config.groups`. An empty value counts as not set. A name nobody reads is an error in
`.env`, where it is a misspelling, and ignored in the environment, where others keep their own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from config import problems
from config.errors import Problem, SettingsError
from config.fields import (
    ApiPath,
    Cap,
    ClockTime,
    Count,
    EndpointTemplate,
    Folder,
    HttpUrl,
    ListenAt,
    LlmProviders,
    Lower,
    Networks,
    Rate,
    Region,
    Seconds,
    SecondsOrNone,
    Secrets,
    SecretText,
    Share,
    ShortName,
    SoundPrefix,
    SttProviders,
    Temperature,
    Text,
    TokenName,
    TtsProviders,
    Upper,
    Words,
    WsUrl,
)
from config.groups import (
    DEEPGRAM_URL,
    OPENAI_URL,
    AriSettings,
    AriTransport,
    Bind,
    CallSettings,
    CallWindow,
    DialerSettings,
    DialMethod,
    HttpSettings,
    LimitSettings,
    LlmSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    MediaSettings,
    OperatorSettings,
    PanelLinesKey,
    PanelSettings,
    RetellSettings,
    Secret,
    SmsSettings,
    StorageSettings,
    SttSettings,
    TtsSettings,
    VendorSettings,
    WebSettings,
)

NO_SECRET: Final = SecretStr("")
NO_ASTERISK: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("ARI_APP_NAME", "ARI_USERNAME", "ARI_PASSWORD"), "offline")
)
"""Overrides for commands that never connect, such as `flow check`: the mandatory names need no value there."""


class Variables(BaseSettings):
    """Every variable that is read, with its type, its bounds and its default; the name in capitals is the variable's."""

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
        validate_default=True,
    )

    # Asterisk
    ari_app_name: ShortName
    ari_username: Text
    ari_password: SecretText
    ari_base_url: HttpUrl = "http://127.0.0.1:8088/ari"
    ari_ws_url: WsUrl = "ws://127.0.0.1:8088/ari/events"
    ari_transport: Annotated[AriTransport, Lower] = "auto"
    ari_timeout: Seconds = 10.0
    ari_rest_sockets: Count = 4
    ari_event_queue: Count = 4096
    ari_ping_s: Seconds = 5.0
    ari_reconnect_max_s: Seconds = 2.5
    engine_name: ShortName | None = None
    http_max_connections: Count = 100
    http_timeout: Seconds = 10.0

    # Dialling
    outbound_numbers: Words = ()
    outbound_trunk: str = ""
    outbound_endpoint: EndpointTemplate = "PJSIP/{number}@{trunk}"
    default_caller_id: str = ""
    default_region: Region | None = None
    static_contacts: Words = ()
    dial_method: Annotated[DialMethod, Lower] = "create"
    origination_timeout: Seconds = 30.0
    dialer_batch_size: Count = 10
    dialer_default_retry: Seconds = 60.0
    fail_alert_threshold: Count = 3
    compliance_pack: TokenName | None = None
    call_window_start: ClockTime = None
    call_window_end: ClockTime = None

    # Limits
    max_concurrent_calls: Count = 2
    max_calls_per_minute: Count = 10
    max_calls_per_day: Count = 200
    max_originations_per_second: Rate = 3.0
    max_concurrent_outbound_calls: Cap = 0
    max_concurrent_inbound_calls: Cap = 0

    # Prompts and recordings
    ast_sound_dir: Folder = Path("/var/lib/asterisk/sounds/custom")
    ast_sound_prefix: SoundPrefix = "custom"
    ast_recording_dir: Folder = Path("/var/spool/asterisk/recording")
    audio_src_dir: Path = Path("assets/audio/src")
    audio_wav_dir: Path = Path("assets/audio/wav")

    # The panel
    company: str = ""
    panel_base_url: HttpUrl | None = None
    panel_api_token: SecretStr = NO_SECRET
    panel_api_prefix: ApiPath = "/api/dialer"
    panel_lines_key: Annotated[PanelLinesKey, Lower] = "lines"
    panel_consent: TokenName | None = None
    panel_send_transcript: bool = True

    # Operators, and who is told when dialling stops
    operator_extension: str = ""
    operator_trunk: str = ""
    operator_endpoint: str = ""
    operator_caller_id: str = ""
    operator_timeout: Seconds = 30.0
    operator_mobile_numbers: Words = ()
    use_panel_agents: bool = False
    sms_base_url: HttpUrl | None = None
    sms_api_key: SecretStr = NO_SECRET
    sms_from: str = ""
    sms_admins: Words = ()

    # Hearing, speaking, reading
    stt_provider: SttProviders = ("none",)
    tts_provider: TtsProviders = ("none",)
    llm_provider: LlmProviders = ("none",)
    stt_timeout: Seconds = 30.0
    tts_timeout: Seconds = 30.0
    llm_timeout: Seconds = 20.0
    max_parallel_stt: Count = 50
    max_parallel_tts: Count = 50
    max_parallel_llm: Count = 10
    heuristic_on_llm_error: bool = False
    vira_stt_url: HttpUrl | None = None
    vira_stt_token: SecretStr = NO_SECRET
    vira_tts_url: HttpUrl | None = None
    vira_tts_token: SecretStr = NO_SECRET
    vira_verify_ssl: bool = True
    gapgpt_base_url: HttpUrl | None = None
    gapgpt_api_key: SecretStr = NO_SECRET
    gapgpt_model: str = "gpt-4o-mini"
    gapgpt_temperature: Temperature = 0.3
    openai_base_url: HttpUrl = OPENAI_URL
    openai_api_key: SecretStr = NO_SECRET
    openai_stt_model: str = "whisper-1"
    openai_tts_model: str = "gpt-4o-mini-tts"
    openai_tts_voice: str = "alloy"
    openai_llm_model: str = "gpt-4o-mini"
    deepgram_base_url: HttpUrl = DEEPGRAM_URL
    deepgram_api_key: SecretStr = NO_SECRET
    deepgram_model: str = "nova-3"

    # The Retell listener
    retell_bind: ListenAt = None
    retell_token: SecretStr = NO_SECRET
    retell_route: TokenName = "llm-websocket"
    retell_scenario: TokenName | None = None
    retell_allowlist_cidrs: Networks | None = None
    retell_trusted_proxy_cidrs: Networks = ()
    retell_max_sessions: Count = 100
    retell_max_frame_bytes: Count = 262_144
    retell_queue_max: Count = 256
    retell_idle_timeout_ms: Count = 5000
    retell_ping_interval_ms: Count = 2000
    retell_write_timeout_ms: Count = 400
    retell_max_write_timeouts: Count = 2
    retell_auto_reconnect: bool = True
    retell_call_details: bool = True
    retell_transcript_with_tool_calls: bool = True
    retell_send_update_agent_on_connect: bool = True
    retell_responsiveness: Share = 1.0
    retell_interruption_sensitivity: Share = 1.0
    retell_reminder_trigger_ms: Count = 450
    retell_reminder_max_count: Cap = 1

    # The page and control API
    web_bind: ListenAt = Bind("127.0.0.1", 8090)
    web_tokens: Secrets = ()

    # State
    data_dir: Path = Path("var")
    run_migrations_on_start: bool = True
    journal_max_bytes: Count = 5_000_000

    # Calls
    scenarios_dir: Path = Path("config/scenarios")
    inbound_scenario: TokenName = "marketing"
    inbound_wait_s: SecondsOrNone = 20.0
    session_ttl_s: Seconds = 1800.0
    max_turns_offer: Count = 10
    max_turns: Count = 50
    mailbox_size: Count = 256
    drain_grace_s: SecondsOrNone = 30.0

    # Logs
    log_level: Annotated[LogLevel, Upper] = "INFO"
    log_format: Annotated[LogFormat, Lower] = "auto"


SETTING_NAMES: Final = tuple(name.upper() for name in Variables.model_fields)
SECRET_NAMES: Final = frozenset(
    name.upper() for name, info in Variables.model_fields.items() if "SecretStr" in str(info.annotation)
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, in groups. `warnings` says what will not work as set, though the engine may start."""

    ari: AriSettings
    http: HttpSettings
    dialer: DialerSettings
    limits: LimitSettings
    media: MediaSettings
    panel: PanelSettings
    operator: OperatorSettings
    sms: SmsSettings
    stt: SttSettings
    tts: TtsSettings
    llm: LlmSettings
    retell: RetellSettings
    web: WebSettings
    storage: StorageSettings
    calls: CallSettings
    log: LogSettings
    warnings: tuple[str, ...] = ()


def get_settings(
    env_file: str | Path | None = ".env", *, overrides: Mapping[str, str] | None = None
) -> Settings:
    """Read and check every setting: `overrides` win over the environment, which wins over `env_file`.

    Raises SettingsError naming all that is wrong at once. A missing `.env` is fine; any other missing file is not.
    """
    given = {name.upper(): value for name, value in (overrides or {}).items() if value != ""}
    file = problems.read_file(env_file)
    try:
        # Not typed: pydantic-settings takes the file as an extra argument, and the overrides are text to be parsed.
        read: Any = Variables
        variables: Variables = read(
            _env_file=file.path, **{name.lower(): value for name, value in given.items()}
        )
    except ValidationError as error:
        found = problems.explain(
            error, file=file, environ=os.environ, overrides=given, known=SETTING_NAMES, secret=SECRET_NAMES
        )
        raise SettingsError([*found, *file.problems]) from None  # the cause would carry the values
    if wrong := [*_contradictions(variables), *file.problems]:
        raise SettingsError(wrong)
    return _grouped(variables)


def _contradictions(v: Variables) -> list[Problem]:
    """Find values that are fine alone and wrong together."""
    found = []
    if (v.call_window_start is None) != (v.call_window_end is None):
        missing = "CALL_WINDOW_START" if v.call_window_start is None else "CALL_WINDOW_END"
        found.append(
            Problem(missing, "missing, while the other end of the window is set", "Set both or neither")
        )
    elif v.call_window_start and v.call_window_end and v.call_window_start >= v.call_window_end:
        remedy = "Let the window open before it closes; one that crosses midnight is not supported"
        window = f"{v.call_window_start:%H:%M}-{v.call_window_end:%H:%M}"
        found.append(Problem("CALL_WINDOW_END", f"the window {window} is never open", remedy))
    if v.max_turns_offer > v.max_turns:
        remedy = f"Use at most MAX_TURNS, which is {v.max_turns}"
        found.append(
            Problem("MAX_TURNS_OFFER", "comes after the last turn", remedy, shown=str(v.max_turns_offer))
        )
    return found


def _warnings(v: Variables) -> tuple[str, ...]:
    """Say what cannot work as set. None of it stops the engine: what is missing shows in its readiness."""
    panel = bool(v.panel_base_url), bool(v.panel_api_token.get_secret_value())
    checks = [
        (panel == (True, False), "PANEL_BASE_URL is set but PANEL_API_TOKEN is not: the panel stays off"),
        (panel == (False, True), "PANEL_API_TOKEN is set but PANEL_BASE_URL is not: the panel stays off"),
        (
            panel == (True, True) and not v.company,
            "COMPANY is not set: the panel cannot tell whose calls these are",
        ),
        (
            not v.outbound_trunk and "{trunk}" in v.outbound_endpoint,
            "OUTBOUND_TRUNK is not set: no number can be dialled",
        ),
        (
            "vira" in v.stt_provider and not (v.vira_stt_url and v.vira_stt_token.get_secret_value()),
            "STT_PROVIDER names vira, but VIRA_STT_URL or VIRA_STT_TOKEN is not set",
        ),
        (
            "vira" in v.tts_provider and not (v.vira_tts_url and v.vira_tts_token.get_secret_value()),
            "TTS_PROVIDER names vira, but VIRA_TTS_URL or VIRA_TTS_TOKEN is not set",
        ),
        (
            "gapgpt" in v.llm_provider and not (v.gapgpt_base_url and v.gapgpt_api_key.get_secret_value()),
            "LLM_PROVIDER names gapgpt, but GAPGPT_BASE_URL or GAPGPT_API_KEY is not set",
        ),
        (
            "deepgram" in v.stt_provider and not v.deepgram_api_key.get_secret_value(),
            "STT_PROVIDER names deepgram, but DEEPGRAM_API_KEY is not set",
        ),
        (
            any("openai" in names for names in (v.stt_provider, v.tts_provider, v.llm_provider))
            and v.openai_base_url == OPENAI_URL
            and not v.openai_api_key.get_secret_value(),
            "openai is a provider, but OPENAI_API_KEY is not set",
        ),
    ]
    return tuple(sentence for applies, sentence in checks if applies)


def _grouped(v: Variables) -> Settings:
    """Sort the variables into the groups the engine is handed."""
    window = (
        CallWindow(v.call_window_start, v.call_window_end)
        if v.call_window_start and v.call_window_end
        else None
    )
    openai = _secret(v.openai_api_key)
    return Settings(
        ari=AriSettings(
            app_name=v.ari_app_name,
            engine_name=v.engine_name or v.ari_app_name,
            username=v.ari_username,
            password=_secret(v.ari_password),
            base_url=v.ari_base_url,
            ws_url=v.ari_ws_url,
            transport=v.ari_transport,
            timeout_s=v.ari_timeout,
            rest_sockets=v.ari_rest_sockets,
            event_queue_size=v.ari_event_queue,
            ping_interval_s=v.ari_ping_s,
            reconnect_max_s=v.ari_reconnect_max_s,
        ),
        http=HttpSettings(max_connections=v.http_max_connections, timeout_s=v.http_timeout),
        dialer=DialerSettings(
            outbound_numbers=v.outbound_numbers,
            static_contacts=v.static_contacts,
            endpoint_template=v.outbound_endpoint,
            trunk=v.outbound_trunk,
            default_caller_id=v.default_caller_id,
            method=v.dial_method,
            ring_timeout_s=v.origination_timeout,
            batch_size=v.dialer_batch_size,
            default_retry_s=v.dialer_default_retry,
            fail_alert_threshold=v.fail_alert_threshold,
            default_region=v.default_region,
            compliance_pack=v.compliance_pack,
            window=window,
        ),
        limits=LimitSettings(
            calls_per_line=v.max_concurrent_calls,
            calls_per_minute=v.max_calls_per_minute,
            calls_per_day=v.max_calls_per_day,
            originations_per_s=v.max_originations_per_second,
            outbound_cap=v.max_concurrent_outbound_calls or None,
            inbound_cap=v.max_concurrent_inbound_calls or None,
        ),
        media=MediaSettings(
            sound_dir=v.ast_sound_dir,
            sound_prefix=v.ast_sound_prefix,
            recording_dir=v.ast_recording_dir,
            audio_src_dir=v.audio_src_dir,
            audio_wav_dir=v.audio_wav_dir,
        ),
        panel=PanelSettings(
            base_url=v.panel_base_url or "",
            token=_secret(v.panel_api_token),
            company=v.company,
            api_prefix=v.panel_api_prefix,
            lines_key=v.panel_lines_key,
            consent=v.panel_consent,
            send_transcript=v.panel_send_transcript,
        ),
        operator=OperatorSettings(
            extension=v.operator_extension,
            trunk=v.operator_trunk,
            endpoint=v.operator_endpoint,
            caller_id=v.operator_caller_id,
            ring_timeout_s=v.operator_timeout,
            mobile_numbers=v.operator_mobile_numbers,
            use_panel_agents=v.use_panel_agents,
        ),
        sms=SmsSettings(
            base_url=v.sms_base_url or "",
            api_key=_secret(v.sms_api_key),
            sender=v.sms_from,
            admins=v.sms_admins,
        ),
        stt=SttSettings(
            providers=v.stt_provider,
            timeout_s=v.stt_timeout,
            max_parallel=v.max_parallel_stt,
            vira=VendorSettings(
                v.vira_stt_url or "", _secret(v.vira_stt_token), verify_tls=v.vira_verify_ssl
            ),
            openai=VendorSettings(v.openai_base_url, openai, model=v.openai_stt_model),
            deepgram=VendorSettings(v.deepgram_base_url, _secret(v.deepgram_api_key), model=v.deepgram_model),
        ),
        tts=TtsSettings(
            providers=v.tts_provider,
            timeout_s=v.tts_timeout,
            max_parallel=v.max_parallel_tts,
            vira=VendorSettings(
                v.vira_tts_url or "", _secret(v.vira_tts_token), verify_tls=v.vira_verify_ssl
            ),
            openai=VendorSettings(
                v.openai_base_url, openai, model=v.openai_tts_model, voice=v.openai_tts_voice
            ),
        ),
        llm=LlmSettings(
            providers=v.llm_provider,
            timeout_s=v.llm_timeout,
            max_parallel=v.max_parallel_llm,
            heuristic_on_error=v.heuristic_on_llm_error,
            gapgpt=VendorSettings(
                v.gapgpt_base_url or "",
                _secret(v.gapgpt_api_key),
                model=v.gapgpt_model,
                temperature=v.gapgpt_temperature,
            ),
            openai=VendorSettings(v.openai_base_url, openai, model=v.openai_llm_model),
        ),
        retell=RetellSettings(
            bind=v.retell_bind,
            token=_secret(v.retell_token),
            route=v.retell_route,
            scenario=v.retell_scenario or v.inbound_scenario,
            allowed_networks=v.retell_allowlist_cidrs,
            trusted_proxies=v.retell_trusted_proxy_cidrs,
            max_sessions=v.retell_max_sessions,
            max_frame_bytes=v.retell_max_frame_bytes,
            queue_size=v.retell_queue_max,
            idle_timeout_s=v.retell_idle_timeout_ms / 1000,
            ping_interval_s=v.retell_ping_interval_ms / 1000,
            write_timeout_s=v.retell_write_timeout_ms / 1000,
            max_write_timeouts=v.retell_max_write_timeouts,
            auto_reconnect=v.retell_auto_reconnect,
            call_details=v.retell_call_details,
            transcript_with_tool_calls=v.retell_transcript_with_tool_calls,
            send_update_agent=v.retell_send_update_agent_on_connect,
            responsiveness=v.retell_responsiveness,
            interruption_sensitivity=v.retell_interruption_sensitivity,
            reminder_trigger_ms=v.retell_reminder_trigger_ms,
            reminder_max_count=v.retell_reminder_max_count,
        ),
        web=WebSettings(bind=v.web_bind, tokens=tuple(_secret(token) for token in v.web_tokens)),
        storage=StorageSettings(
            data_dir=v.data_dir,
            run_migrations_on_start=v.run_migrations_on_start,
            journal_max_bytes=v.journal_max_bytes,
        ),
        calls=CallSettings(
            scenarios_dir=v.scenarios_dir,
            inbound_scenario=v.inbound_scenario,
            inbound_wait_s=v.inbound_wait_s,
            session_ttl_s=v.session_ttl_s,
            max_turns_offer=v.max_turns_offer,
            max_turns=v.max_turns,
            mailbox_size=v.mailbox_size,
            drain_grace_s=v.drain_grace_s,
        ),
        log=LogSettings(level=v.log_level, format=v.log_format),
        warnings=_warnings(v),
    )


def _secret(value: SecretStr) -> Secret:
    return Secret(value.get_secret_value())
