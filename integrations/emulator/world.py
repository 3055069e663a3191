"""What exists inside the emulated Asterisk, and nothing of what it does: channels, bridges, playbacks, recordings, apps.

`World` is the one mutable value every operation works on. `now` is the moment at hand; only `core` moves it.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from core.clock import VIRTUAL_EPOCH
from integrations.emulator.agenda import Agenda
from integrations.emulator.people import BY_LAST_DIGIT, PEOPLE, Person
from integrations.emulator.sound import Stretch
from integrations.emulator.states import ChannelState, PlaybackState, RecordingState

SOUNDS: Final[Mapping[str, float]] = {
    "hello-world": 1.42,
    "vm-goodbye": 0.88,
    "demo-congrats": 30.0,
    "beep": 0.2,
    "please-try-call-later": 2.4,
}
FALLBACK_S: Final = 2.0  # how long the dialplan keeps a caller we gave back

Event = dict[str, object]
Sink = Callable[[Event | None], None]


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """What this Asterisk is, and who can be reached through it.

    `directory` says who answers at a number (a person's name); other numbers go by their last digit. `trunks` are the
    PJSIP endpoints that exist; None means any. `sounds` are seconds by name, without "sound:". `find_sound` is asked
    for names that are not among them, and answers seconds or None.
    """

    version: str = "22.10.1"
    asterisk_id: str = "02:00:00:00:00:01"
    epoch: datetime = VIRTUAL_EPOCH
    people: Mapping[str, Person] = field(default_factory=lambda: dict(PEOPLE))
    directory: Mapping[str, str] = field(default_factory=dict)
    by_last_digit: Mapping[str, str] = field(default_factory=lambda: BY_LAST_DIGIT)
    trunks: frozenset[str] | None = None
    sounds: Mapping[str, float] = field(default_factory=lambda: dict(SOUNDS))
    find_sound: Callable[[str], float | None] | None = None
    ring_after_s: float = 0.0
    enters_stasis_after_s: float = 0.0
    socket_queue: int = 20_000
    keep_requests: int = 200_000

    @property
    def major(self) -> int:
        """The release: 22 of 22.10.1."""
        return int(self.version.split(".")[0])


@dataclass(frozen=True, slots=True)
class Party:
    """A caller id."""

    name: str = ""
    number: str = ""


@dataclass(slots=True)
class Line:
    """The person at the far end of a channel: what they have heard and done so far."""

    person: Person
    hearing_since: float | None = None
    heard_s: float = 0.0
    prompts: int = 0
    said: int = 0
    done: set[int] = field(default_factory=set)
    editions: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Channel:
    """One channel. `app` is the application it is in, "" outside Stasis. `jobs` are what it plays and records, in order."""

    id: str
    name: str
    state: ChannelState
    created_at: float
    context: str
    exten: str
    caller: Party = Party()
    connected: Party = Party()
    protocol_id: str = ""
    app: str = ""
    app_args: tuple[str, ...] = ()
    wants_app: str = ""  # an originated channel enters it when answered
    dialstring: str = ""
    is_originated: bool = False
    is_inbound: bool = False
    is_dialled: bool = False  # and since then in a bridge of Asterisk's own, where nothing can be recorded
    in_dialplan: str = ""  # the application shown in its JSON
    far_half: str = ""
    near_half: str = ""
    line: Line | None = None
    nobody_there: bool = False  # a Local extension that does not exist
    answered_at: float | None = None
    ended_at: float | None = None
    bridge_id: str = ""
    moving_to: str = ""  # a bridge to enter, or CONTINUE, when the jobs are done
    variables: dict[str, str] = field(default_factory=dict)
    jobs: deque[int] = field(default_factory=deque)
    talk: list[Stretch] = field(default_factory=list)
    words: list[tuple[float, str]] = field(default_factory=list)


CONTINUE: Final = "\0continue"


@dataclass(slots=True)
class Stay:
    """A channel's time in a bridge."""

    channel: Channel
    since: float
    until: float | None = None


@dataclass(slots=True)
class Bridge:
    """One bridge. `jobs` are its playbacks in order; recordings run beside them."""

    id: str
    name: str
    kind: str
    created_at: float
    channels: list[str] = field(default_factory=list)
    jobs: deque[int] = field(default_factory=deque)
    announcer: str = ""
    recorders: dict[int, str] = field(default_factory=dict)
    stays: list[Stay] = field(default_factory=list)
    played: list[Stretch] = field(default_factory=list)
    has_music: bool = False


@dataclass(slots=True)
class Playback:
    """One playback and where it stands in its list of media."""

    serial: int
    id: str
    media: tuple[str, ...]
    target: str
    language: str
    state: PlaybackState = PlaybackState.QUEUED
    index: int = 0
    edition: int = 0
    started_at: float | None = None  # of the sound that runs now
    left_s: float = 0.0
    started_once: bool = False


@dataclass(slots=True)
class Recording:
    """One live recording, of a channel or a bridge."""

    serial: int
    of: Channel | Bridge
    name: str
    format: str
    target: str
    max_s: int
    max_silence_s: int
    terminate_on: str
    beep: bool
    appends: bool
    state: RecordingState = RecordingState.QUEUED
    started_at: float = 0.0
    edition: int = 0
    discard: bool = False
    cause: str = ""
    duration_s: int | None = None
    talking_s: int | None = None


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording on the emulated disk. `tones` are where there was sound, `words` what people said in it, in order."""

    name: str
    format: str
    seconds: float
    tones: tuple[Stretch, ...]
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class Socket:
    """One event websocket. A deaf one was replaced: it stays open, and hears answers only."""

    id: int
    apps: tuple[str, ...]
    sink: Sink | None
    events: deque[Event] = field(default_factory=deque)
    is_open: bool = True


@dataclass(slots=True)
class App:
    """One Stasis application. `wanted` counts what it is subscribed to: "channel:ID", "bridge:ID"."""

    name: str
    socket: int | None = None
    wanted: Counter[str] = field(default_factory=Counter)
    allowed: list[str] = field(default_factory=list)
    disallowed: list[str] = field(default_factory=list)

    def passes(self, kind: str) -> bool:
        """Whether its filter lets this type of event through."""
        return kind not in self.disallowed and (not self.allowed or kind in self.allowed)


@dataclass(frozen=True, slots=True)
class Seen:
    """One REST request that was served."""

    at: float
    method: str
    path: str
    query: Mapping[str, str]
    body: object
    status: int


@lru_cache(maxsize=4096)
def _second(epoch: datetime, seconds: int) -> tuple[str, str]:
    """A second of the day and its zone, as Asterisk writes them; most timestamps fall into a few seconds."""
    moment = epoch.replace(microsecond=0) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}", f"{moment:%z}"


class World:
    """All that exists."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.sounds: MutableMapping[str, float] = dict(settings.sounds)
        self.epoch = settings.epoch
        self.now = 0.0
        self.is_up = True
        self.agenda = Agenda()
        self.counters: Counter[str] = Counter()
        self.requests: deque[Seen] = deque(maxlen=settings.keep_requests)
        self.stored: dict[str, StoredRecording] = {}  # on disk: survives a restart
        self._serial = 0
        self.forget()

    def forget(self) -> None:
        """All that lives in memory is gone."""
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self.playbacks: dict[int, Playback] = {}
        self.recordings: dict[int, Recording] = {}
        self.sockets: dict[int, Socket] = {}
        self.apps: dict[str, App] = {}
        self.listeners: dict[str, dict[str, App]] = {}
        self.variables: dict[str, str] = {}
        self.clashed: OrderedDict[str, None] = OrderedDict()  # connections on which an id was taken once
        self.agenda.clear()

    def serial(self) -> int:
        """The next number; never given twice, not even across a restart."""
        self._serial += 1
        return self._serial

    def stamp(self, at: float | None = None) -> str:
        """A moment as Asterisk writes it."""
        since_epoch_ms = round((self.now if at is None else at) * 1000)
        seconds, ms = divmod(self.epoch.microsecond // 1000 + since_epoch_ms, 1000)
        second, zone = _second(self.epoch, seconds)
        return f"{second}.{ms:03d}{zone}"

    def unique_id(self) -> str:
        """An id of Asterisk's own, for what was made without one."""
        return f"{int((self.epoch + timedelta(seconds=self.now)).timestamp())}.{self.serial()}"

    def uuid(self) -> str:
        """The other form of Asterisk's own ids."""
        serial = self.serial()
        return f"{serial:08x}-0000-4000-8000-{serial:012x}"

    def playback_called(self, playback_id: str) -> Playback | None:
        """The newest playback of this id that is not over."""
        return next((p for p in reversed(self.playbacks.values()) if p.id == playback_id), None)

    def recording_called(self, name: str) -> Recording | None:
        """The live recording of this name."""
        return next((r for r in self.recordings.values() if r.name == name), None)
