"""An emulated Asterisk at hand: one application, one socket, and a hand on the clock."""

from collections.abc import Mapping
from typing import cast

from integrations.emulator import Emulator, EmulatorSettings, Reply
from integrations.emulator.people import Person
from integrations.emulator.world import Event

APP = "lk"
NOISE = frozenset({"ChannelVarset", "ChannelDialplan"})


class Box:
    """Requests at the moment `now`; `wait` moves it. Every event seen is kept in `events`, without the noise."""

    def __init__(self, settings: EmulatorSettings | None = None) -> None:
        self.emulator = Emulator(settings)
        self.now = 0.0
        self.events: list[Event] = []
        self.socket = self.emulator.connect(APP, 0.0)

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Reply:
        """One request, now."""
        texts = {name: str(value) for name, value in query.items()}
        reply = self.emulator.request(method, path, texts, body, self.now)
        self._look()
        return reply

    def get(self, path: str) -> Mapping[str, object]:
        """A GET that must succeed."""
        reply = self.ask("GET", path)
        assert reply.status == 200
        return cast(Mapping[str, object], reply.body)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.emulator.advance(self.now)
        self._look()

    def call(self, person: str = "silent", channel: str = "c", timeout: int = 30) -> None:
        """Create and dial somebody."""
        made = self.ask(
            "POST", "channels/create", endpoint=f"Local/{person}@people/n", app=APP, channelId=channel
        )
        assert made.status == 200
        assert self.ask("POST", f"channels/{channel}/dial", timeout=timeout).status == 204

    def talk_to(self, person: str = "silent", channel: str = "c", bridge: str = "b") -> None:
        """Create, bridge, dial, and wait for the answer."""
        self.ask("POST", "channels/create", endpoint=f"Local/{person}@people/n", app=APP, channelId=channel)
        self.ask("POST", f"bridges/{bridge}", type="mixing")
        assert self.ask("POST", f"bridges/{bridge}/addChannel", channel=channel).status == 204
        self.ask("POST", f"channels/{channel}/dial", timeout=30)
        self.wait(0.5)
        assert self.get(f"channels/{channel}")["state"] == "Up"

    def ring_in(self, person: Person | str = "silent", number: str = "+12025550100") -> str:
        """Somebody calls us; the id of their channel."""
        channel = self.emulator.dial_in(person, APP, number, self.now)
        self._look()
        return channel

    def types(self, *only: str) -> list[str]:
        """The types of the events since the last `forget`."""
        return [str(event["type"]) for event in self.events if not only or event["type"] in only]

    def of(self, kind: str) -> list[Event]:
        """The events of one type since the last `forget`."""
        return [event for event in self.events if event["type"] == kind]

    def forget(self) -> None:
        """Begin a new page of events."""
        self.events.clear()

    def _look(self) -> None:
        for event in self.emulator.take_events(self.socket):
            if event["type"] not in NOISE:
                self.events.append(event)
