"""Asterisk's configuration files, rendered from `templates/` for one set of ports.

Pure: settings in, text out. The templates mark their gaps `%%{name}`, because Asterisk uses `${name}` for itself.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.lab import layout

TEMPLATES = Path(__file__).parent / "templates"

NOT_LOADED = """
app_adsiprog app_agent_pool app_confbridge app_alarmreceiver app_festival app_followme app_getcpeid app_jack app_minivm app_page app_queue
app_sla app_sms app_test app_voicemail app_voicemail_imap app_voicemail_odbc
cdr_adaptive_odbc cdr_csv cdr_custom cdr_manager cdr_odbc cdr_pgsql cdr_radius cdr_sqlite3_custom cdr_tds
cel_custom cel_manager cel_odbc cel_pgsql cel_radius cel_sqlite3_custom cel_tds
chan_alsa chan_console chan_dahdi chan_iax2 chan_mgcp chan_mobile chan_motif chan_oss chan_phone chan_sip chan_skinny
chan_unistim chan_vpb chan_ooh323
pbx_ael pbx_dundi pbx_lua pbx_realtime
res_adsi res_ael_share res_calendar res_calendar_caldav res_calendar_ews res_calendar_exchange res_calendar_icalendar
res_clialiases res_http_media_cache res_pjsip_config_wizard res_pjsip_notify res_resolver_unbound
res_cdrel_custom res_config_ldap res_config_mysql res_config_odbc res_config_pgsql res_config_sqlite3 res_config_curl
res_corosync res_fax res_fax_spandsp res_geolocation res_hep res_hep_pjsip res_hep_rtcp res_monitor res_mwi_devstate
res_odbc res_odbc_transaction res_parking res_phoneprov res_pjsip_geolocation res_pjsip_phoneprov_provider
res_pjsip_stir_shaken res_pktccops res_prometheus res_smdi res_snmp res_stir_shaken res_stun_monitor res_timing_dahdi
res_xmpp func_odbc
""".split()

LEFT_EMPTY = """
acl aeap ccss cel chan_websocket features pjproject statsd udptl websocket_client
""".split()
"""Files Asterisk complains about when they are missing, and is content with when they say nothing."""


class ConfTemplate(string.Template):
    """A template whose gaps do not look like Asterisk's variables."""

    delimiter = "%%"


@dataclass(frozen=True, slots=True)
class ConfigSettings:
    """Everything the files depend on."""

    http_port: int
    sip_port: int
    far_port: int
    password: str
    username: str = "linekeeper"
    app: str = "linekeeper"
    bind: str = "127.0.0.1"
    far_host: str = "127.0.0.1"
    rtp_first: int = 10000
    rtp_last: int = 29999
    max_files: int = 65536
    module_dir: str | None = None
    music_dir: str = layout.MUSIC


def render(settings: ConfigSettings) -> dict[str, str]:
    """File name to text, for every template."""
    gaps = _gaps(settings)
    rendered = {path.name: fill(path.read_text(), gaps) for path in TEMPLATES.glob("*.conf")}
    empty = {f"{name}.conf": "; Asterisk's defaults will do.\n" for name in LEFT_EMPTY}
    return dict(sorted((empty | rendered).items()))


def fill(template: str, gaps: Mapping[str, object]) -> str:
    """The template with its gaps filled; a gap without a value is an error."""
    return ConfTemplate(template).substitute(gaps)


def write(settings: ConfigSettings, folder: Path, *, private: bool = True) -> list[Path]:
    """Render into a folder. Files appear whole or not at all, and only their owner reads the password if `private`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in render(settings).items():
        path = folder / name
        new = folder / f".{name}.new"
        new.write_text(text)
        new.chmod(0o600 if private and name == "ari.conf" else 0o644)
        new.replace(path)
        written.append(path)
    return written


def _gaps(settings: ConfigSettings) -> dict[str, object]:
    return {
        "app": settings.app,
        "bind": settings.bind,
        "directories": _directories(settings.module_dir),
        "far_host": settings.far_host,
        "far_port": settings.far_port,
        "http_port": settings.http_port,
        "max_files": settings.max_files,
        "music_dir": settings.music_dir,
        "noload": "\n".join(f"noload = {name}.so" for name in NOT_LOADED),
        "password": settings.password,
        "rtp_first": settings.rtp_first,
        "rtp_last": settings.rtp_last,
        "sip_port": settings.sip_port,
        "username": settings.username,
    }


def _directories(module_dir: str | None) -> str:
    """Our own folders inside the root; nothing when Asterisk's compiled-in ones are to be used."""
    if module_dir is None:
        return ""
    folders = {
        "astetcdir": layout.ETC,
        "astmoddir": module_dir,
        "astvarlibdir": layout.VAR,
        "astdbdir": layout.VAR,
        "astkeydir": layout.VAR,
        "astdatadir": layout.DATA,
        "astagidir": f"{layout.DATA}/agi-bin",
        "astspooldir": layout.SPOOL,
        "astrundir": layout.RUN,
        "astlogdir": layout.LOG,
    }
    return "[directories]\n" + "\n".join(f"{name} = {path}" for name, path in folders.items()) + "\n"
