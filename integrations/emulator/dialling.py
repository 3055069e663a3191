"""Who is reached: endpoints, the people behind them, and what a dialled channel goes through until it is up or gone."""

import re
from dataclasses import dataclass
from typing import Final

from integrations.emulator import departures, events, lines
from integrations.emulator.agenda import EntersStasis, LetsGo, PicksUp, RingingTooLong, Rings
from integrations.emulator.people import Person, Pickup, find_by_number
from integrations.emulator.states import CHANNEL, ChannelState, ChannelTurn, following
from integrations.emulator.world import Channel, Line, Party, World

PEOPLE_CONTEXT: Final = "people"
NO_ROUTE: Final = 1
_CALLER_ID: Final = re.compile(r'\s*"?(?P<name>[^"<]*?)"?\s*<(?P<number>[^>]*)>\s*')


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an endpoint string means here. `person` is None when nobody is there."""

    technology: str
    rest: str
    context: str
    exten: str
    trunk: str
    person: Person | None


def parse_endpoint(world: World, text: str) -> Endpoint | None:
    """An endpoint taken apart; None when the technology or the trunk does not exist."""
    technology, _, rest = text.partition("/")
    where, _, _options = rest.partition("/")
    name, _, place = where.partition("@")
    settings = world.settings
    match technology:
        case "Local":
            listed = settings.directory.get(name, name)
            person = settings.people.get(listed) if place == PEOPLE_CONTEXT else None
            return Endpoint(technology, rest, place or "default", name, "", person)
        case "PJSIP":
            trunk = place or name
            if settings.trunks is not None and trunk not in settings.trunks:
                return None
            return Endpoint(technology, rest, "inbound", "s", trunk, person_at(world, name))
        case _:
            return None


def person_at(world: World, number: str) -> Person | None:
    """Who answers at this number."""
    settings = world.settings
    directory = {person.number: person for person in settings.people.values() if person.number}
    directory |= {number: settings.people[name] for number, name in settings.directory.items()}
    by_digit = {
        digit: settings.people[name]
        for digit, name in settings.by_last_digit.items()
        if name in settings.people
    }
    return find_by_number(number, directory, by_digit)


def parse_caller_id(text: str) -> Party:
    """`Name <number>`, or a bare number."""
    match = _CALLER_ID.fullmatch(text)
    return Party(match["name"], match["number"]) if match else Party("", text.strip())


def make(world: World, endpoint: Endpoint, channel_id: str, far_id: str) -> Channel:
    """A new channel that is Down, with its far half when it is a Local one."""
    number = f"{world.serial():08x}"
    is_local = endpoint.technology == "Local"
    where = endpoint.rest.partition("/")[0] if is_local else endpoint.trunk
    channel = Channel(
        id=channel_id,
        name=f"{endpoint.technology}/{where}-{number}{';1' if is_local else ''}",
        state=ChannelState.DOWN,
        created_at=world.now,
        context=endpoint.context,
        exten=endpoint.exten,
        dialstring=endpoint.rest,
        protocol_id="" if is_local else f"emulated-{number}",
        line=None if endpoint.person is None else Line(endpoint.person),
        nobody_there=endpoint.person is None,
    )
    world.channels[channel_id] = channel
    if is_local:
        far = Channel(
            id=far_id or f"{channel_id};2",
            name=f"{endpoint.technology}/{where}-{number};2",
            state=ChannelState.RING,
            created_at=world.now,
            context=endpoint.context,
            exten=endpoint.exten,
            near_half=channel_id,
        )
        channel.far_half = far.id
        world.channels[far.id] = far
    world.counters["channels_made"] += 1
    return channel


def enter_stasis(world: World, channel: Channel) -> None:
    """A created channel reaches the application it was made for; without one it is gone again at once."""
    app = world.apps.get(channel.wants_app)
    if app is None or app.socket is None:
        departures.hang_up(world, channel, 0, asked_by_us=False, is_announced=False)
    else:
        events.enters_stasis(world, channel, app, channel.app_args)


def dial(world: World, channel: Channel, timeout_s: int) -> None:
    """The far end is called."""
    channel.is_dialled = not channel.is_originated
    if channel.nobody_there and channel.far_half:
        # Nothing is said about it but the end (measured): no Dial event, cause 16, or 0 when originated.
        cause = 0 if channel.is_originated else 16
        departures.hang_up(world, channel, cause, asked_by_us=False, is_announced=False)
        return
    events.dial_event(world, channel, "", channel.dialstring)
    if timeout_s > 0:
        world.agenda.put(world.now + timeout_s, RingingTooLong(channel.id))
    line = channel.line
    if line is None:
        world.agenda.put(world.now, LetsGo(channel.id, NO_ROUTE))
        return
    person, rings_at = line.person, world.now + world.settings.ring_after_s
    match person.pickup:
        case Pickup.ANSWERS:
            world.agenda.put(rings_at, Rings(channel.id))
            world.agenda.put(rings_at + person.ring_s, PicksUp(channel.id))
        case Pickup.NO_ANSWER:
            world.agenda.put(rings_at, Rings(channel.id))
            world.agenda.put(world.now + person.gives_up_s, LetsGo(channel.id, 19))
        case Pickup.NEVER_RINGS:
            world.agenda.put(world.now + person.gives_up_s, LetsGo(channel.id, 18))
        case Pickup.REJECTS:
            world.agenda.put(world.now, LetsGo(channel.id, 21))
        case Pickup.BUSY:
            _cannot_be_had(world, channel, "BUSY", 17, person.lets_go_s)
        case Pickup.CONGESTION:
            _cannot_be_had(world, channel, "CONGESTION", 34, person.lets_go_s)


def _cannot_be_had(world: World, channel: Channel, status: str, cause: int, lets_go_s: float) -> None:
    events.dial_event(world, channel, status, channel.dialstring if channel.is_originated else "")
    if (
        channel.is_originated
    ):  # the dialler itself ends it; the far half of a Local channel keeps the cause for itself
        cause, lets_go_s = (0 if channel.far_half else cause), 0.0
    world.agenda.put(world.now + lets_go_s, LetsGo(channel.id, cause))


def rings(world: World, channel: Channel) -> None:
    """The far end rings."""
    state = following(CHANNEL, channel.state, ChannelTurn.RINGS)
    if state is not None:
        channel.state = state
        events.channel_event(world, "ChannelStateChange", channel)
        events.dial_event(world, channel, "RINGING", channel.dialstring if channel.is_originated else "")


def picks_up(world: World, channel: Channel) -> None:
    """The far end answers. An originated channel enters its application now."""
    if channel.state not in {ChannelState.DOWN, ChannelState.RINGING}:
        return
    far = world.channels.get(channel.far_half)
    if far is not None:
        far.state = ChannelState.UP
        events.channel_event(world, "ChannelStateChange", far)
    channel.state = ChannelState.UP
    events.channel_event(world, "ChannelStateChange", channel)
    events.dial_event(world, channel, "ANSWER", channel.dialstring if channel.is_originated else "")
    if channel.is_originated:
        enter_stasis(world, channel)
    if channel.id in world.channels:
        lines.answered(world, channel)


def lets_go(world: World, channel: Channel, cause: int) -> None:
    """The far end ends a call that nobody answered, or a caller gives up waiting."""
    if channel.answered_at is None:
        departures.hang_up(world, channel, cause, asked_by_us=False, is_announced=not channel.is_originated)


def rings_too_long(world: World, channel: Channel) -> None:
    """The dial timeout is over."""
    if channel.state in {ChannelState.DOWN, ChannelState.RINGING}:
        cause = 19 if world.settings.major >= 20 or channel.is_originated else 16
        departures.hang_up(world, channel, cause, asked_by_us=True, is_announced=not channel.is_originated)


def call_in(world: World, person: Person, app_name: str, number: str, caller: str) -> str:
    """Somebody calls our number: the dialplan gives them to the application, or keeps them when nobody holds it."""
    channel = Channel(
        id=world.unique_id(),
        name=f"PJSIP/trunk-{world.serial():08x}",
        state=ChannelState.RING,
        created_at=world.now,
        context="inbound",
        exten=number,
        caller=Party("", caller or person.number),
        protocol_id=f"emulated-{world.serial():08x}",
        is_inbound=True,
        line=Line(person),
    )
    world.channels[channel.id] = channel
    world.counters["channels_made"] += 1
    world.agenda.put(world.now + person.gives_up_s, LetsGo(channel.id, 16))
    app = world.apps.get(app_name)
    if app is None or app.socket is None:
        world.counters["callers_without_application"] += 1
        departures.falls_to_dialplan(world, channel)
    else:
        events.enters_stasis(world, channel, app, ("inbound", number))
    return channel.id


def reach_stasis(world: World, channel: Channel) -> None:
    """At once, or when the delay of a busy Asterisk is over."""
    delay = world.settings.enters_stasis_after_s
    if delay > 0:
        world.agenda.put(world.now + delay, EntersStasis(channel.id))
    else:
        enter_stasis(world, channel)
