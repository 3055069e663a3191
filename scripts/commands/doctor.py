"""`doctor`: asks every check of `integrations.checkup` and prints a line for each; it looks at nothing itself."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from config.errors import SettingsError
from config.settings import Settings
from core.ari_client import AriClient
from core.ari_transport.http import HttpTransport
from core.ari_transport.sockets import open_ari_socket
from core.http import HttpClient, HttpTimeout
from core.logs import setup_logging
from integrations.checkup.check import Check, Finding, Verdict, examine
from integrations.checkup.every import CHECKS
from integrations.checkup.subject import Subject, Token
from integrations.control.client import ControlClient
from integrations.control.errors import ControlError
from logic.prompts import PromptErrors
from logic.scenario_registry import Refusal, ScenarioRegistry
from scripts.commands.leaving import Code, plainly, put_json
from scripts.commands.wiring import Given, Wiring, given_to

_TIMEOUT_S: Final = 3.0
_COLOURS: Final = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}

_HELP = """Is everything in place? One line a check, with what to do about it. Exit 0 when nothing fails.

Values of secrets are never printed. What is tried in Asterisk is tried on a bridge without channels, under a name of
its own, and cleared away: a running engine is not disturbed.

\b
Examples:
  python main.py doctor
  python main.py doctor --json | jq '.checks[] | select(.verdict != "ok")'
  python main.py --check

\b
Lines:
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP + "\n".join(f"  {check.name:<16}{check.about}" for check in CHECKS))
    def doctor(
        ctx: typer.Context,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ) -> None:
        run_checks(given_to(ctx), as_json=as_json)


def run_checks(given: Given, *, as_json: bool) -> None:
    """Ask everything, print it, and end the process with 1 when something fails."""
    setup_logging("ERROR", "text")
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    printer = Console(highlight=False, soft_wrap=True)
    with plainly(as_json=as_json):
        findings = asyncio.run(_all(given, None if as_json else printer))
    failed = [finding.name for finding in findings if finding.verdict is Verdict.FAIL]
    if as_json:
        put_json({"ok": not failed, "checks": [finding.to_json() for finding in findings]})
    else:
        warned = sum(finding.verdict is Verdict.WARN for finding in findings)
        said = f"{len(failed)} failed: {', '.join(failed)}" if failed else "nothing failed"
        printer.print(f"\n{said}; {warned} with a warning, {len(findings)} in all")
    if failed:
        raise typer.Exit(Code.FAILED)


async def _all(given: Given, printer: Console | None) -> list[Finding]:
    findings = []
    try:
        settings = given.settings()
    except SettingsError as error:
        findings = _without_settings(error)
        for finding in findings:
            _print(printer, finding)
        return findings
    async with open_subject(given.wiring, settings) as subject:
        async for finding in examine(CHECKS, subject):
            findings.append(finding)
            _print(printer, finding)
    return findings


def _without_settings(error: SettingsError) -> list[Finding]:
    """Nothing else can be asked without settings; each line says so."""
    first, *others = CHECKS
    return [
        Finding(first.name, Verdict.FAIL, str(error), "Correct them; .env.example lists every name"),
        *(_unasked(check, first.name) for check in others),
    ]


def _unasked(check: Check, because_of: str) -> Finding:
    return Finding(check.name, Verdict.WARN, f"not looked at, because of: {because_of}")


def _print(printer: Console | None, finding: Finding) -> None:
    if printer is None:
        return
    first, *others = finding.what.splitlines() or [""]
    colour = _COLOURS[finding.verdict]
    printer.print(f"[{colour}]{finding.verdict.value:<4}[/{colour}]  {finding.name:<14}  {escape(first)}")
    for line in others:
        printer.print(f"{'':22}{escape(line)}")
    if finding.remedy:
        printer.print(f"{'':22}[bold]→[/bold] {escape(finding.remedy)}")


@asynccontextmanager
async def open_subject(wiring: Wiring, settings: Settings) -> AsyncIterator[Subject]:
    """What the checks look at, with ways to Asterisk that are closed afterwards."""
    ari = settings.ari
    control = ControlClient(settings.storage.data_dir)

    async def ask_engine() -> str:
        try:
            return (await control.status()).state
        except ControlError:
            return ""

    async with HttpClient(
        ari.base_url,
        username=ari.username,
        password=ari.password.reveal(),
        max_connections=2,
        timeout=HttpTimeout(connect_s=_TIMEOUT_S),
    ) as http:
        yield Subject(
            ari=ari,
            dialer=settings.dialer,
            media=settings.media,
            storage=settings.storage,
            scenarios=_scenarios(wiring, settings),
            tokens=tokens_of(settings),
            listeners=(("WEB_BIND", settings.web.bind), ("RETELL_BIND", settings.retell.bind)),
            warnings=settings.warnings,
            client=AriClient(HttpTransport(http), timeout_s=min(ari.timeout_s, _TIMEOUT_S)),
            open_socket=partial(open_ari_socket, ari),
            ask_engine=ask_engine,
            name=f"doctor-{random.getrandbits(40):010x}",
        )


def _scenarios(wiring: Wiring, settings: Settings) -> ScenarioRegistry:
    """The scenarios; a prompt book that is refused counts as a refused file, because none can be read without it."""
    try:
        return wiring.load_scenarios(settings)
    except PromptErrors as error:
        file = error.problems[0].file if error.problems else "prompts"
        return ScenarioRegistry(refused=MappingProxyType({file: Refusal(file, error.problems)}))


def tokens_of(settings: Settings) -> tuple[Token, ...]:
    """Every secret there is, whether it is set, and which setting asks for it. Those we make ourselves are not asked for."""
    hears, speaks, reads = settings.stt, settings.tts, settings.llm

    def vendor(name: str, providers: tuple[str, ...], setting: str) -> str:
        return setting if name in providers else ""

    openai = [
        setting
        for setting, group in (("STT_PROVIDER", hears), ("TTS_PROVIDER", speaks), ("LLM_PROVIDER", reads))
        if "openai" in group.providers
    ]
    panel, sms = settings.panel, settings.sms
    return (
        Token("ARI_PASSWORD", bool(settings.ari.password), "Asterisk"),
        Token("PANEL_API_TOKEN", bool(panel.token), "PANEL_BASE_URL" if panel.base_url else ""),
        Token("VIRA_STT_TOKEN", bool(hears.vira.token), vendor("vira", hears.providers, "STT_PROVIDER")),
        Token("VIRA_TTS_TOKEN", bool(speaks.vira.token), vendor("vira", speaks.providers, "TTS_PROVIDER")),
        Token("GAPGPT_API_KEY", bool(reads.gapgpt.token), vendor("gapgpt", reads.providers, "LLM_PROVIDER")),
        Token("OPENAI_API_KEY", bool(reads.openai.token), openai[0] if openai else ""),
        Token(
            "DEEPGRAM_API_KEY",
            bool(hears.deepgram.token),
            vendor("deepgram", hears.providers, "STT_PROVIDER"),
        ),
        Token("SMS_API_KEY", bool(sms.api_key), "SMS_BASE_URL" if sms.base_url else ""),
        Token("RETELL_TOKEN", bool(settings.retell.token)),
        Token("WEB_TOKENS", bool(settings.web.tokens)),
    )
