"""The pure parts of the lab: configuration and scenarios as text, ports, people, and what may be removed."""

from __future__ import annotations

import re
import socket
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from scripts.lab import config, ports, releases, removal, sipp
from scripts.lab.errors import PortBusy, SippFailed
from scripts.lab.lab import WAY_IN
from scripts.lab.layout import ETC, Layout, default_directory
from scripts.lab.people import PEOPLE, SENTENCES, find

SETTINGS = config.ConfigSettings(
    http_port=8188,
    sip_port=5160,
    far_port=5170,
    password="a-password",
    app="engine-7",
    module_dir="/usr/lib/x86_64-linux-gnu/asterisk/modules",
)


def extensions(context: str) -> set[str]:
    """The extensions of one context of the rendered dialplan."""
    dialplan = config.render(SETTINGS)["extensions.conf"]
    body = re.split(r"^\[", dialplan.split(f"[{context}]\n", 1)[1], flags=re.MULTILINE)[0]
    return set(re.findall(r"^exten => ([^,]+),1,", body, flags=re.MULTILINE))


def test_every_gap_is_filled() -> None:
    """No file leaves a gap for Asterisk to stumble over."""
    assert [name for name, text in config.render(SETTINGS).items() if "%%" in text] == []


def test_a_gap_without_a_value_is_an_error() -> None:
    """A template cannot ask for something nobody provides."""
    with pytest.raises(KeyError):
        config.fill("bindport = %%{nonsense}", {})


def test_asterisk_variables_survive() -> None:
    """Asterisk's own `${EXTEN}` is not ours to fill."""
    assert config.fill("Stasis(%%{app},${EXTEN})", {"app": "x"}) == "Stasis(x,${EXTEN})"


def test_ari_is_reachable_with_the_password_on_loopback_only() -> None:
    """The HTTP server listens where the lab says, for one user."""
    rendered = config.render(SETTINGS)
    assert "bindaddr = 127.0.0.1\nbindport = 8188\n" in rendered["http.conf"]
    assert "sessionlimit = 1000" in rendered["http.conf"]
    assert "[linekeeper]\ntype = user\n" in rendered["ari.conf"]
    assert "password = a-password\n" in rendered["ari.conf"]
    assert "websocket_write_timeout = 5000\n" in rendered["ari.conf"]


def test_the_far_end_and_the_caller_are_where_the_ports_say() -> None:
    """`PJSIP/NUMBER@lead` goes to the far port; our own SIP port is the transport's."""
    pjsip = config.render(SETTINGS)["pjsip.conf"]
    assert "bind = 127.0.0.1:5160\n" in pjsip
    assert "contact = sip:lead@127.0.0.1:5170\n" in pjsip
    assert "endpoint = caller\nmatch = 127.0.0.1\n" in pjsip


def test_asterisk_uses_its_own_folders_inside_the_root() -> None:
    """Configuration comes from the lab's folder and modules from where this Debian keeps them."""
    text = config.render(SETTINGS)["asterisk.conf"]
    assert f"astetcdir = {ETC}\n" in text
    assert f"astmoddir = {SETTINGS.module_dir}\n" in text
    assert "maxfiles = 65536\n" in text


def test_without_a_module_folder_the_compiled_in_folders_stay() -> None:
    """For an Asterisk that is not ours, nothing is said about folders."""
    settings = config.ConfigSettings(http_port=1, sip_port=2, far_port=3, password="p")
    assert "[directories]" not in config.render(settings)["asterisk.conf"]


def test_what_the_engine_and_the_people_need_is_loaded() -> None:
    """No module of stasis, ARI, media websocket or a dialplan function in use is kept out."""
    needed = re.compile(
        r"res_stasis|res_ari|app_amd|chan_websocket|chan_pjsip|res_rtp_asterisk|app_stasis|app_playback|"
        r"app_senddtmf|app_waitforsilence|app_playtones|func_cut|func_callerid|func_logic|app_exec|app_stack|"
        r"res_musiconhold|format_wav|res_http_websocket|res_pjsip_session|res_pjsip_sdp_rtp|pbx_config"
    )
    assert [name for name in config.NOT_LOADED if needed.match(name)] == []


def test_the_inbound_application_is_a_setting() -> None:
    """A plain number goes to the lab's application; a number behind a star to the one named before it."""
    dialplan = config.render(SETTINGS)["extensions.conf"]
    assert "LINEKEEPER_APP = engine-7\n" in dialplan
    assert "Stasis(${TO_APP},inbound,${TO_NUMBER})" in dialplan
    assert extensions("inbound") == {"_X.", "_+X."}
    assert extensions("inbound-to") == {"_[A-Za-z]."}


def test_a_call_that_comes_back_is_not_left_in_silence() -> None:
    """Behind Stasis() there is always an answer, a sentence and a hangup."""
    dialplan = config.render(SETTINGS)["extensions.conf"]
    behind = dialplan.split("[stasis]", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"n,(Answer|Playback|Hangup)\(", behind) == ["Answer", "Playback", "Hangup"]
    assert "STASISSTATUS" in behind


def test_everybody_can_be_called_and_has_a_number_of_their_own() -> None:
    """The list of people and the dialplan agree, and each sets the number the other side sees."""
    dialplan = config.render(SETTINGS)["extensions.conf"]
    by_name = {extension for extension in extensions("people") if not extension.startswith("+")}
    assert by_name == {person.name for person in PEOPLE}
    assert len({person.number for person in PEOPLE}) == len(PEOPLE)
    assert [person.name for person in PEOPLE if person.number not in dialplan] == []


def test_those_who_call_in_know_what_to_do() -> None:
    """Whoever may call in is in the context of callers, and everybody there has something to do."""
    callers = extensions("callers")
    assert callers == {person.name for person in PEOPLE if person.calls_in}
    assert callers <= extensions("talk")


def test_every_sentence_is_said_by_somebody() -> None:
    """What the dialplan plays from `people/` is what the voices make."""
    dialplan = config.render(SETTINGS)["extensions.conf"]
    assert set(re.findall(r"Playback\(people/([a-z-]+)", dialplan)) == set(SENTENCES)


def test_nobody_is_found_under_a_wrong_name() -> None:
    """A typing error finds nobody."""
    assert find("polite-maybe") is None
    assert find("polite-yes") is not None


@pytest.mark.parametrize(
    ("way_in", "accepted"),
    [
        ("linekeeper*+4930123*+15550001", True),
        ("engine-7_x.y*100*200", True),
        ("7engine*100*200", False),
        ("x*100@people*200", False),
        ("x*100*200 extension a@b", False),
        ("x*100*", False),
    ],
)
def test_only_plain_names_and_numbers_reach_the_console(way_in: str, accepted: bool) -> None:
    """What would mean something else to Asterisk's command line is refused."""
    assert bool(WAY_IN.fullmatch(way_in)) == accepted


def test_files_are_written_whole_and_the_password_is_for_the_owner(tmp_path: Path) -> None:
    """Nothing half written is left, and only ari.conf is private."""
    written = config.write(SETTINGS, tmp_path / "etc")
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == sorted(path.name for path in written)
    private = [path.name for path in written if path.stat().st_mode & 0o077 == 0]
    assert private == ["ari.conf"]


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    """Rendering is repeatable."""
    first = {path.name: path.read_text() for path in config.write(SETTINGS, tmp_path)}
    second = {path.name: path.read_text() for path in config.write(SETTINGS, tmp_path)}
    assert first == second


@pytest.mark.parametrize("name", sipp.names())
def test_every_scenario_is_well_formed(name: str) -> None:
    """SIPp gets XML without gaps, one scenario of that name."""
    text = sipp.rendered(name, {})
    assert "%%" not in text
    assert ET.fromstring(text).get("name") == name  # noqa: S314 - our own files


def test_a_scenario_takes_its_values() -> None:
    """How long it rings is the caller's choice."""
    assert '<pause milliseconds="4321"/>' in sipp.rendered("answer", {"ring_ms": 4321})


def test_an_unknown_scenario_names_the_known_ones() -> None:
    """The remedy is in the message."""
    with pytest.raises(SippFailed, match="answer"):
        sipp.rendered("answers", {})


def test_a_busy_http_port_is_refused_and_zero_finds_a_free_one() -> None:
    """A port somebody else has is never taken silently."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortBusy, match="--http-port"):
            ports.http_port(port)
        assert ports.http_port(0) not in (0, port)


def test_a_busy_sip_port_is_refused_when_named_and_replaced_when_only_remembered() -> None:
    """The last port is a wish, the named one an order."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortBusy, match="--sip-port"):
            ports.sip_port(port)
        assert ports.sip_port(None, last=port) in ports.SIP_ROW


def test_a_release_without_asterisk_falls_back_to_the_newest_with_one() -> None:
    """The wanted release comes first, then the known ones, newest first, none twice."""
    assert releases.candidates("bookworm") == ["bookworm", "sid", "bullseye"]
    assert releases.candidates("sid") == ["sid", "bullseye"]


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 22 0:21 / /lab/sid/root/proc rw - proc proc rw
32 22 254:0 /home /lab/with\\040space/root/home rw - ext4 /dev/vda rw
"""


def test_a_mount_below_a_folder_is_seen() -> None:
    """Also one whose name has a space, and not one in a neighbour with a longer name."""
    assert removal.mounts_below(Path("/lab/sid"), MOUNTS) == ["/lab/sid/root/proc"]
    assert removal.mounts_below(Path("/lab/with space"), MOUNTS) == ["/lab/with space/root/home"]
    assert removal.mounts_below(Path("/lab/si"), MOUNTS) == []


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    """A link goes, what it leads to stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    inside = tmp_path / "lab"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    removal.remove_tree(inside)
    assert not inside.exists()
    assert (outside / "precious").read_text() == "x"


def test_paths_inside_the_root_stay_inside() -> None:
    """A path as Asterisk sees it becomes one below the root."""
    layout = Layout(Path("/lab"))
    assert layout.inside("/etc/asterisk") == Path("/lab/root/etc/asterisk")
    assert layout.recording_dir == Path("/lab/root/var/spool/asterisk/recording")


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """LAB_DIR wins over the release's own folder."""
    monkeypatch.setenv("LAB_DIR", str(tmp_path))
    assert default_directory("sid") == tmp_path
    monkeypatch.delenv("LAB_DIR")
    assert default_directory("bullseye").parts[-3:] == ("var", "lab", "bullseye")
