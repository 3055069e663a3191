"""What is read, who wins, and what a person is told when something is wrong."""

import dataclasses
import os
import re
from collections.abc import Callable
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import SettingsError
from config.fields import split_list
from config.groups import (
    AriSettings,
    Bind,
    CallSettings,
    CallWindow,
    DialerSettings,
    HttpSettings,
    LimitSettings,
    LlmSettings,
    LogSettings,
    MediaSettings,
    OperatorSettings,
    PanelSettings,
    RetellSettings,
    Secret,
    SmsSettings,
    StorageSettings,
    SttSettings,
    TtsSettings,
    WebSettings,
)
from config.settings import NO_ASTERISK, SECRET_NAMES, SETTING_NAMES, Settings, get_settings

ROOT = Path(__file__).parents[2]
MANDATORY = {"ARI_APP_NAME": "lines", "ARI_USERNAME": "user", "ARI_PASSWORD": "pa55"}

Read = Callable[..., Settings]
Refuse = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own variables out of every test here."""
    for name in list(os.environ):
        if name.upper() in SETTING_NAMES:
            monkeypatch.delenv(name)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read settings with the mandatory ones given: `file` is the text of .env, the rest is the environment."""

    def _read(file: str = "", **environment: str) -> Settings:
        env_file = tmp_path / "settings.env"
        env_file.write_text(file)
        for name, value in {**MANDATORY, **environment}.items():
            monkeypatch.setenv(name, value)
        return get_settings(env_file)

    return _read


@pytest.fixture
def refuse(read: Read) -> Refuse:
    """Read settings that must be refused, and return the sentences, one per problem."""

    def _refuse(file: str = "", **environment: str) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            read(file, **environment)
        return [str(problem) for problem in caught.value.problems]

    return _refuse


# ------------------------------------------------------------------------------------------ who wins


@pytest.mark.parametrize(
    ("override", "environment", "file", "expected"),
    [
        (None, None, None, 2),
        (None, None, "3", 3),
        (None, "5", None, 5),
        (None, "5", "3", 5),
        ("7", "5", "3", 7),
        ("7", None, None, 7),
        (None, "", "3", 3),
        ("", "", "", 2),
    ],
)
def test_precedence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    override: str | None,
    environment: str | None,
    file: str | None,
    expected: int,
) -> None:
    """An override wins over the environment, that over .env, that over the default; empty counts as not set."""
    env_file = tmp_path / ".env"
    env_file.write_text("" if file is None else f"MAX_CONCURRENT_CALLS={file}\n")
    if environment is not None:
        monkeypatch.setenv("MAX_CONCURRENT_CALLS", environment)
    overrides = {**MANDATORY, **({} if override is None else {"MAX_CONCURRENT_CALLS": override})}

    assert get_settings(env_file, overrides=overrides).limits.calls_per_line == expected


def test_defaults_stand_in_both_files_alike(read: Read) -> None:
    """What a group says about itself is what an empty environment gives."""
    found = read()

    assert found.ari == AriSettings("lines", "lines", "user", Secret("pa55"))
    assert found.http == HttpSettings()
    assert found.dialer == DialerSettings()
    assert found.limits == LimitSettings()
    assert found.media == MediaSettings()
    assert found.panel == PanelSettings()
    assert found.operator == OperatorSettings()
    assert found.sms == SmsSettings()
    assert found.stt == SttSettings()
    assert found.tts == TtsSettings()
    assert found.llm == LlmSettings()
    assert found.retell == RetellSettings()
    assert found.web == WebSettings()
    assert found.storage == StorageSettings()
    assert found.calls == CallSettings()
    assert found.log == LogSettings()


def test_groups_are_distinct_and_frozen(read: Read) -> None:
    """Each group is its own frozen, slotted dataclass: nobody changes a setting for somebody else."""
    found = read()
    groups = [getattr(found, f.name) for f in dataclasses.fields(found) if f.name != "warnings"]

    assert len({type(group) for group in groups}) == len(groups)
    for group in groups:
        assert dataclasses.is_dataclass(group)
        assert not hasattr(group, "__dict__")
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(group, dataclasses.fields(group)[0].name, None)


def test_two_engines_can_be_set_differently_in_one_process(tmp_path: Path) -> None:
    """Reading settings leaves nothing behind that a second reading would see."""
    first = get_settings(None, overrides={**MANDATORY, "MAX_CONCURRENT_CALLS": "1"})
    second = get_settings(None, overrides={**MANDATORY, "MAX_CONCURRENT_CALLS": "9"})

    assert (first.limits.calls_per_line, second.limits.calls_per_line) == (1, 9)


def test_every_variable_reaches_a_group(read: Read) -> None:
    """No setting is read and then forgotten: changing any one of them changes the groups."""
    base = read()
    other = {
        **dict.fromkeys(SETTING_NAMES, "7"),
        **{name: "other" for name in SETTING_NAMES if name.endswith(("_NAME", "_USERNAME", "_PASSWORD"))},
        **{name: "http://other:1/x" for name in SETTING_NAMES if name.endswith("_URL")},
        **{name: "10.0.0.0/8" for name in SETTING_NAMES if name.endswith("_CIDRS")},
        **dict.fromkeys(("RETELL_RESPONSIVENESS", "RETELL_INTERRUPTION_SENSITIVITY"), "0.5"),
        "ARI_WS_URL": "ws://other:1/x",
        "ARI_TRANSPORT": "http",
        "DIAL_METHOD": "originate",
        "OUTBOUND_ENDPOINT": "SIP/{number}",
        "DEFAULT_REGION": "GB",
        "PANEL_API_PREFIX": "/v2",
        "PANEL_LINES_KEY": "outbound_lines",
        "STT_PROVIDER": "openai",
        "TTS_PROVIDER": "openai",
        "LLM_PROVIDER": "openai",
        "GAPGPT_TEMPERATURE": "1",
        "RETELL_BIND": ":1",
        "WEB_BIND": "off",
        "LOG_LEVEL": "ERROR",
        "LOG_FORMAT": "json",
        "MAX_TURNS": "60",
    }
    booleans = {
        "PANEL_SEND_TRANSCRIPT": "false",
        "USE_PANEL_AGENTS": "true",
        "HEURISTIC_ON_LLM_ERROR": "true",
        "VIRA_VERIFY_SSL": "false",
        "RETELL_AUTO_RECONNECT": "false",
        "RETELL_CALL_DETAILS": "false",
        "RETELL_TRANSCRIPT_WITH_TOOL_CALLS": "false",
        "RETELL_SEND_UPDATE_AGENT_ON_CONNECT": "false",
        "RUN_MIGRATIONS_ON_START": "false",
    }
    windows = {"CALL_WINDOW_START": "08:00", "CALL_WINDOW_END": "20:00"}

    for name in SETTING_NAMES:
        changed = windows if name in windows else {name: {**other, **booleans}[name]}
        found = get_settings(None, overrides={**MANDATORY, **changed})
        assert dataclasses.replace(found, warnings=()) != dataclasses.replace(base, warnings=()), name


# -------------------------------------------------------------------------------------- .env.example


def _example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if re.match(r"[A-Z]", line)]
    assert len(pairs) == len(dict(pairs)), "a name stands twice in .env.example"
    return dict(pairs)


def test_env_example_lists_exactly_what_is_read() -> None:
    """Every name that is read stands in .env.example, and nothing else does."""
    assert set(SETTING_NAMES) == set(_example())


def test_env_example_shows_the_defaults(read: Read) -> None:
    """Copying .env.example unchanged sets nothing but the defaults."""
    assert read((ROOT / ".env.example").read_text()) == read()


def test_env_example_carries_no_secret() -> None:
    """Secrets, and what is mandatory, are empty there."""
    example = _example()

    assert dict.fromkeys(SECRET_NAMES | set(MANDATORY), "") == {
        name: example[name] for name in SECRET_NAMES | set(MANDATORY)
    }


def test_every_secret_is_known_as_one() -> None:
    """A name that sounds like a credential is typed as a secret."""
    sounding = {name for name in SETTING_NAMES if re.search(r"_(TOKEN|TOKENS|KEY|PASSWORD|SECRET)$", name)}

    assert sounding - {"PANEL_LINES_KEY"} == SECRET_NAMES


# ------------------------------------------------------------------------------------ what is refused


def test_all_missing_names_come_at_once(tmp_path: Path) -> None:
    """With nothing set, one error names all three mandatory settings and how to set them."""
    env_file = tmp_path / ".env"
    env_file.write_text("")
    with pytest.raises(SettingsError) as caught:
        get_settings(env_file)

    assert str(caught.value).splitlines() == [
        "3 settings need attention:",
        "  ARI_APP_NAME: missing. Set it to the name your dialplan gives to Stasis(), like ARI_APP_NAME=linekeeper",
        "  ARI_USERNAME: missing. Set it to the user of Asterisk's ari.conf",
        "  ARI_PASSWORD: missing. Set it to that user's password in Asterisk's ari.conf",
    ]


def test_missing_and_malformed_come_together(
    read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One error holds the missing, the malformed and the misspelt, in the order of the list."""
    env_file = tmp_path / "my.env"
    env_file.write_text("ARI_USERNAME=u\nARI_PASSWORD=\nMAX_TURNS=many\nMAX_CONCURENT_CALLS=2\n")
    monkeypatch.setenv("MAX_CALLS_PER_DAY", "0")
    with pytest.raises(SettingsError) as caught:
        get_settings(env_file)

    assert [problem.name for problem in caught.value.problems] == [
        "ARI_APP_NAME",
        "ARI_PASSWORD",
        "MAX_CALLS_PER_DAY",
        "MAX_TURNS",
        "MAX_CONCURENT_CALLS",
    ]
    assert f"({env_file} line 3)" in str(caught.value)
    assert "MAX_CALLS_PER_DAY=0 (from the environment): too small. Use 1 or more" in str(caught.value)


def test_misspelt_mandatory_name_in_the_environment_is_pointed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Foreign names in the environment are fine, but a near miss of a missing name is mentioned."""
    monkeypatch.setenv("ARI_PASWORD", "pa55")
    with pytest.raises(SettingsError) as caught:
        get_settings(None, overrides={"ARI_APP_NAME": "a", "ARI_USERNAME": "u"})

    assert "ARI_PASSWORD: missing, though the environment has ARI_PASWORD." in str(caught.value)
    assert "pa55" not in str(caught.value)


def test_misspelt_name_in_env_file_gets_a_suggestion(refuse: Refuse) -> None:
    """A name nobody reads is refused in .env, with the nearest name and the line."""
    (sentence,) = refuse("# ours\nOUTBOUND_NUMBER=+12025550123\n")

    assert sentence.startswith("OUTBOUND_NUMBER (")
    assert "line 2): not a setting; did you mean OUTBOUND_NUMBERS? " in sentence


def test_foreign_names_in_the_environment_are_ignored(read: Read) -> None:
    """The environment belongs to others too."""
    assert read(SOMEBODY_ELSES_SETTING="1") == read()


def test_line_that_is_no_assignment_is_named_but_not_shown(refuse: Refuse) -> None:
    """A line without `=` is refused by its number; its text may be a secret and stays out."""
    (sentence,) = refuse("ARI_TIMEOUT=5\nPANEL_API_TOKEN s3cret\n")

    assert "line 2 is not NAME=value" in sentence
    assert "s3cret" not in sentence


def test_quoted_value_of_several_lines_is_one_statement(read: Read) -> None:
    """A quoted value may run over lines without its inside being taken for statements."""
    assert read('COMPANY="two\nlines"\nMAX_TURNS=60\n').calls.max_turns == 60


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MAX_CONCURRENT_CALLS", "two", "not a whole number. Write plain digits, like 10"),
        ("MAX_CONCURRENT_CALLS", "1.5", "not a whole number. Write plain digits, like 10"),
        ("MAX_CONCURRENT_CALLS", "0", "too small. Use 1 or more"),
        ("MAX_CALLS_PER_MINUTE", "0", "too small. Use 1 or more"),
        ("MAX_CALLS_PER_DAY", "-1", "too small. Use 1 or more"),
        ("MAX_ORIGINATIONS_PER_SECOND", "0", "too small. Use more than 0"),
        ("MAX_ORIGINATIONS_PER_SECOND", "inf", "not a number. Write it like 10 or 0.5"),
        ("MAX_CONCURRENT_OUTBOUND_CALLS", "-1", "too small. Use 0 or more"),
        ("MAX_CONCURRENT_INBOUND_CALLS", "-3", "too small. Use 0 or more"),
        ("MAX_PARALLEL_STT", "0", "too small. Use 1 or more"),
        ("ARI_TIMEOUT", "nan", "not a number. Write it like 10 or 0.5"),
        ("ARI_TRANSPORT", "carrier-pigeon", "not one of the choices. Use 'auto', 'websocket' or 'http'"),
        ("USE_PANEL_AGENTS", "perhaps", "neither yes nor no. Write true or false"),
        ("ARI_APP_NAME", "two words", "not a name. Use 1 to 24 of A-Z a-z 0-9 _ and -"),
        ("ENGINE_NAME", "x" * 25, "not a name. Use 1 to 24 of A-Z a-z 0-9 _ and -"),
        ("ENGINE_NAME", "a.b", "not a name. Use 1 to 24 of A-Z a-z 0-9 _ and -"),
        ("ARI_USERNAME", "   ", "empty. Write its value, or remove the line"),
        ("ARI_BASE_URL", "127.0.0.1:8088/ari", "not an address. Write it as http://host:port/path"),
        ("ARI_BASE_URL", "http://host:port/ari", "not an address. Write it as http://host:port/path"),
        ("ARI_WS_URL", "http://127.0.0.1:8088", "not an address. Write it as ws://host:port/path"),
        ("DEFAULT_REGION", "UK", "not a region. The United Kingdom is GB"),
        ("CALL_WINDOW_START", "9:00", "not a time of day. Write it as HH:MM, like 09:30"),
        ("CALL_WINDOW_START", "24:00", "not a time of day. Write it as HH:MM, like 09:30"),
        ("WEB_BIND", "8090", "not a host and port. Write it as 127.0.0.1:8090, or off"),
        ("WEB_BIND", "::1:8090", "not a host and port. Write it as 127.0.0.1:8090, or off"),
        ("WEB_BIND", "localhost:99999", "not a host and port. Write it as 127.0.0.1:8090, or off"),
        ("RETELL_ALLOWLIST_CIDRS", "10.0.0.0/8,here", "'here' is no network. Write it as 203.0.113.0/24"),
        (
            "INBOUND_SCENARIO",
            "../secrets",
            "not a name. Use lower-case letters, digits, _ - and ., at most 64",
        ),
        ("AST_SOUND_PREFIX", "../en", "not a folder below Asterisk's sounds. Write it as custom"),
        (
            "STT_PROVIDER",
            "openia",
            "unknown provider 'openia'; did you mean 'openai'? Use some of vira, openai,",
        ),
        (
            "LLM_PROVIDER",
            "none,openai",
            "`none` stands beside other providers. Write it alone, or leave it out",
        ),
        ("TTS_PROVIDER", ",", "no provider is named. Write `none` to do without one"),
    ],
)
def test_malformed_value_is_named_shown_and_explained(
    refuse: Refuse, name: str, value: str, sentence: str
) -> None:
    """The error names the variable, shows its value and where it came from, and says what to write instead."""
    (problem,) = refuse(**{name: value})

    assert problem.startswith(f"{name}={value} (from the environment): ")
    assert sentence in problem


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("PJSIP/{nummer}@{trunk}", "unknown placeholder {nummer}; did you mean 'number'?"),
        ("PJSIP/{number}@{}", "unknown placeholder {}"),
        ("PJSIP/{number.real}", "unknown placeholder {number.real}"),
        ("PJSIP/{number:>5}", "{number:>5}"),
        ("PJSIP/{number!r}", "{number} carries a format"),
        ("PJSIP/{number", "the braces do not match"),
        ("{number}", "names no channel technology"),
    ],
)
def test_endpoint_template_is_checked_at_start(refuse: Refuse, template: str, sentence: str) -> None:
    """What cannot be filled in fails at start, not at the first call."""
    (problem,) = refuse(OUTBOUND_ENDPOINT=template)

    assert problem.startswith(f"OUTBOUND_ENDPOINT={template} ")
    assert sentence in problem


def test_login_in_an_address_is_refused_and_not_shown(refuse: Refuse) -> None:
    """Credentials have settings of their own; an address that carries one is refused without being repeated."""
    first, second = refuse(ARI_BASE_URL="http://u:s3cret@pbx:8088/ari", PANEL_BASE_URL="ftp://u:s3cret@panel")

    assert first.startswith("ARI_BASE_URL (from the environment): carries a login. ")
    assert second.startswith("PANEL_BASE_URL (from the environment): not an address. ")
    assert "s3cret" not in first + second


def test_values_that_contradict_each_other_are_refused_together(refuse: Refuse) -> None:
    """Values that are fine alone and wrong together are named, all at once."""
    window, turns = refuse(CALL_WINDOW_START="20:00", CALL_WINDOW_END="08:00", MAX_TURNS="5")

    assert window == (
        "CALL_WINDOW_END: the window 20:00-08:00 is never open. "
        "Let the window open before it closes; one that crosses midnight is not supported"
    )
    assert turns == "MAX_TURNS_OFFER=10: comes after the last turn. Use at most MAX_TURNS, which is 5"
    (half,) = refuse(CALL_WINDOW_END="", CALL_WINDOW_START="08:00", MAX_TURNS="50")
    assert half == "CALL_WINDOW_END: missing, while the other end of the window is set. Set both or neither"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "does not exist"), (b"\xff\xfe\x00", "is not UTF-8 text"), ("folder", "cannot be read")],
)
def test_unreadable_settings_file_is_named(
    tmp_path: Path, content: bytes | str | None, sentence: str
) -> None:
    """A file that was asked for and cannot be read stops the start, by name."""
    env_file = tmp_path / "prod.env"
    if content == "folder":
        env_file.mkdir()
    elif isinstance(content, bytes):
        env_file.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(f"{env_file}: {sentence}")):
        get_settings(env_file, overrides=MANDATORY)


def test_usual_env_file_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment alone is enough."""
    monkeypatch.chdir(tmp_path)

    assert get_settings(overrides=MANDATORY).ari.app_name == "lines"


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    """A .env saved by an editor on Windows reads like any other."""
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"\xef\xbb\xbfMAX_TURNS=60\r\nCOMPANY=ours\r\n")
    found = get_settings(env_file, overrides=MANDATORY)

    assert (found.calls.max_turns, found.panel.company) == (60, "ours")


def test_unknown_name_from_a_command_is_refused() -> None:
    """A command that passes a name nobody reads is told so, like a .env."""
    with pytest.raises(SettingsError, match=r"MAX_CALL \(from the command line\): not a setting"):
        get_settings(None, overrides={**MANDATORY, "MAX_CALL": "1"})


# -------------------------------------------------------------------------------------------- secrets


def test_no_secret_in_settings_or_errors(read: Read, refuse: Refuse) -> None:
    """Neither the printed settings nor any error shows a secret, even a malformed or misplaced one."""
    values = {name: f"s3cret-{index}" for index, name in enumerate(sorted(SECRET_NAMES))}
    found = read(**values)

    assert "s3cret" not in repr(found) + str(found)
    assert found.ari.password.reveal() == values["ARI_PASSWORD"]
    assert "s3cret" not in "".join(refuse(MAX_TURNS="x", **values))


def test_error_has_no_cause_that_would_print_the_values(read: Read) -> None:
    """The traceback of a refused configuration does not carry pydantic's own error with it."""
    with pytest.raises(SettingsError) as caught:
        read(MAX_TURNS="x")

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@given(st.text(), st.text())
@settings(derandomize=True, max_examples=200)
def test_secret_matches_only_itself(one: str, other: str) -> None:
    """A secret matches the same text, nothing else, and never when it is empty, whatever the letters."""
    assert Secret(one).matches(other) == (bool(one) and one == other)
    assert Secret(one).matches(one) == bool(one)
    assert (Secret(one) == Secret(other)) == (one == other)
    assert repr(Secret(one)) in {"Secret('')", "Secret('***')"}


# --------------------------------------------------------------------------------------------- values


def test_values_arrive_as_what_they_are(read: Read) -> None:
    """Lists, addresses, times, folders and switches come out typed."""
    found = read(
        OUTBOUND_NUMBERS=" +12025550123, +12025550124 ,,+12025550123",
        STT_PROVIDER="OpenAI, vira,openai",
        CALL_WINDOW_START="09:00",
        CALL_WINDOW_END="17:30",
        WEB_BIND="[::1]:0",
        RETELL_BIND=":8091",
        AST_SOUND_DIR="off",
        ARI_BASE_URL="https://pbx.example/ari/",
        MAX_CONCURRENT_OUTBOUND_CALLS="5",
        MAX_ORIGINATIONS_PER_SECOND="0.5",
        RETELL_ALLOWLIST_CIDRS="203.0.113.9/24, 2001:db8::/32",
        RETELL_IDLE_TIMEOUT_MS="2500",
        WEB_TOKENS="one, two,one",
        DEFAULT_REGION="gb",
        LOG_LEVEL="debug",
        USE_PANEL_AGENTS="yes",
    )

    assert found.dialer.outbound_numbers == ("+12025550123", "+12025550124")
    assert found.stt.providers == ("openai", "vira")
    assert found.dialer.window == CallWindow(time(9), time(17, 30))
    assert found.web.bind == Bind("::1", 0)
    assert str(found.web.bind) == "[::1]:0"
    assert found.retell.bind == Bind("127.0.0.1", 8091)
    assert found.media.sound_dir is None
    assert found.ari.base_url == "https://pbx.example/ari"
    assert found.limits.outbound_cap == 5
    assert found.limits.originations_per_s == 0.5
    assert found.retell.allowed_networks == ("203.0.113.0/24", "2001:db8::/32")
    assert found.retell.idle_timeout_s == 2.5
    assert [token.reveal() for token in found.web.tokens] == ["one", "two"]
    assert found.dialer.default_region == "GB"
    assert found.log.level == "DEBUG"
    assert found.operator.use_panel_agents


def test_zero_switches_only_the_two_caps_off(read: Read) -> None:
    """0 means no cap for the two global caps; it never means no calls."""
    found = read(MAX_CONCURRENT_OUTBOUND_CALLS="0", MAX_CONCURRENT_INBOUND_CALLS="0")

    assert (found.limits.outbound_cap, found.limits.inbound_cap) == (None, None)


def test_engine_and_retell_fall_back_to_their_neighbours(read: Read) -> None:
    """The engine is named after its application, and Retell speaks the inbound scenario, unless told otherwise."""
    assert read().ari.engine_name == "lines"
    assert read(ENGINE_NAME="e1").ari.engine_name == "e1"
    assert read(INBOUND_SCENARIO="desk").retell.scenario == "desk"
    assert read(INBOUND_SCENARIO="desk", RETELL_SCENARIO="other").retell.scenario == "other"


def test_what_will_not_work_is_a_warning(read: Read) -> None:
    """Half-set partners do not stop the start; each is said in one sentence."""
    quiet = {
        "STT_PROVIDER": "none",
        "TTS_PROVIDER": "none",
        "LLM_PROVIDER": "none",
        "OUTBOUND_TRUNK": "carrier",
    }

    assert read(**quiet).warnings == ()
    assert read(**quiet, PANEL_BASE_URL="http://panel").warnings == (
        "PANEL_BASE_URL is set but PANEL_API_TOKEN is not: the panel stays off",
    )
    assert not read(**quiet, PANEL_BASE_URL="http://panel").panel.is_enabled
    assert read(**quiet, PANEL_BASE_URL="http://p", PANEL_API_TOKEN="t", COMPANY="c").panel.is_enabled


def test_commands_that_never_connect_need_no_asterisk() -> None:
    """`flow check` and its like read settings without the mandatory names."""
    assert get_settings(None, overrides=NO_ASTERISK).calls.scenarios_dir == Path("config/scenarios")


# ----------------------------------------------------------------------------------------- properties

words = st.lists(st.text(st.characters(exclude_characters=",", exclude_categories=["Cs", "Cc"])))


@given(words)
@settings(derandomize=True, max_examples=300)
def test_lists_are_trimmed_deduplicated_and_ordered(items: list[str]) -> None:
    """A list keeps its order, each word once, without blanks around it and without empty words."""
    found = split_list(",".join(items))

    assert isinstance(found, tuple)
    assert list(found) == list(dict.fromkeys(word for item in items if (word := item.strip())))
    assert split_list(",".join(found)) == found


@given(st.integers(-3, 10**9))
@settings(derandomize=True, max_examples=100)
def test_limits_accept_what_makes_sense_and_nothing_else(number: int) -> None:
    """A limit of a line is at least one; a cap is at least nought, where nought means none."""

    def accepted(name: str) -> Settings | None:
        try:
            return get_settings(None, overrides={**MANDATORY, name: str(number)})
        except SettingsError:
            return None

    line = accepted("MAX_CONCURRENT_CALLS")
    cap = accepted("MAX_CONCURRENT_OUTBOUND_CALLS")

    assert (line.limits.calls_per_line if line else None) == (number if number >= 1 else None)
    assert (cap is not None) == (number >= 0)
    assert (cap.limits.outbound_cap if cap else None) == (number if number >= 1 else None)
