"""What the settings and the scenarios say, without asking anyone."""

import ipaddress
import socket

from config.groups import Bind
from integrations.checkup.check import Answer, Check, fail, ok, warn
from integrations.checkup.subject import Subject


async def settings(subject: Subject) -> Answer:
    """They were read, or nobody would ask; what they warn of is said here."""
    if not subject.warnings:
        return ok("read and consistent")
    return warn("; ".join(subject.warnings), "Set what is missing, or turn off what needs it (`none`, `off`)")


async def tokens(subject: Subject) -> Answer:
    """Which secrets are there. Never their values."""
    present = [token.name for token in subject.tokens if token.present]
    absent = [token.name for token in subject.tokens if not token.present]
    said = f"present: {', '.join(present) or 'none'}; absent: {', '.join(absent) or 'none'}"
    missed = [token for token in subject.tokens if token.needed_by and not token.present]
    if not missed:
        return ok(said)
    wants = ", ".join(f"{token.name} (for {token.needed_by})" for token in missed)
    return warn(said, f"Set {wants}")


async def scenarios(subject: Subject) -> Answer:
    """Every file passes its checks, and there is at least one."""
    registry = subject.scenarios
    if registry.refused:
        problems = [str(problem) for refusal in registry.refused.values() for problem in refusal.problems]
        loaded = ", ".join(registry.ids) or "none"
        return fail(
            "\n".join([f"loaded: {loaded}; refused: {len(registry.refused)}", *problems]), "Mend these lines"
        )
    if not registry.flows:
        return fail("there is no scenario", "Put one into SCENARIOS_DIR, or correct its name")
    return ok(f"loaded: {', '.join(registry.ids)}")


async def listeners(subject: Subject) -> Answer:
    """Our own doors: on the loopback only, and free unless an engine of ours holds them."""
    on = [(name, bind) for name, bind in subject.listeners if bind is not None]
    open_to_all = [f"{name} {bind}" for name, bind in on if not is_loopback(bind.host)]
    if open_to_all:
        remedy = "Listen on 127.0.0.1 and let a proxy with TLS and a login stand in front"
        return fail(f"reachable from outside: {', '.join(open_to_all)}", remedy)
    busy = [f"{name} {bind}" for name, bind in on if not _is_free(bind)]
    if busy and not await subject.ask_engine():
        return fail(
            f"taken by another program: {', '.join(busy)}", "Choose another port, or stop that program"
        )
    said = ", ".join(f"{name} {bind}" for name, bind in on) or "none"
    return ok(f"on the loopback: {said}" + (" (our engine holds it)" if busy else ""))


def is_loopback(host: str) -> bool:
    """Whether only this machine can come by this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_free(bind: Bind) -> bool:
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind.host, bind.port))
        except OSError:
            return False
    return True


CHECKS = (
    Check("settings", "do the settings fit together?", settings),
    Check("tokens", "are the secrets there?", tokens),
    Check("scenarios", "do all scenarios pass?", scenarios),
    Check("listeners", "are our own doors closed to strangers?", listeners),
)
