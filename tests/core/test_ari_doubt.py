"""Did the channel come to be? Every pair of answers, and what is done about it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ari_client import AriClient
from core.ari_client.doubt import Creation, create_or_find, judge
from core.ari_transport.seam import Request, Response
from core.errors import AriError, AriNoAnswer, AriNonsense, AriServerError, AriUnreachable, refusal

SILENT, NONSENSE, CUT_OFF = AriNoAnswer("x"), AriNonsense("x"), AriUnreachable("x")
TAKEN, GONE, FAILED, BAD = (refusal(status, "x") for status in (409, 404, 500, 400))

TABLE: list[tuple[AriError | None, AriError | None, Creation]] = [
    (None, None, Creation.MADE),
    (None, GONE, Creation.MADE),
    (SILENT, None, Creation.FOUND),
    (SILENT, GONE, Creation.UNKNOWN),
    (SILENT, SILENT, Creation.UNKNOWN),
    (SILENT, CUT_OFF, Creation.UNKNOWN),
    (SILENT, FAILED, Creation.UNKNOWN),
    (NONSENSE, None, Creation.FOUND),
    (NONSENSE, GONE, Creation.UNKNOWN),
    (TAKEN, None, Creation.FOUND),
    (TAKEN, GONE, Creation.REFUSED),
    (TAKEN, SILENT, Creation.UNKNOWN),
    (TAKEN, CUT_OFF, Creation.UNKNOWN),
    (FAILED, GONE, Creation.REFUSED),
    (BAD, None, Creation.REFUSED),
    (CUT_OFF, None, Creation.REFUSED),
]


def named(value: object) -> str:
    return f"{value}" if isinstance(value, Creation) else type(value).__name__


@pytest.mark.parametrize(("asking", "looking", "expected"), TABLE, ids=named)
def test_what_two_answers_prove(
    asking: AriError | None, looking: AriError | None, expected: Creation
) -> None:
    """The table of proofs."""
    assert judge(asking, looking) is expected


CHANNEL = {
    "id": "c",
    "name": "Local/x",
    "state": "Down",
    "protocol_id": "",
    "caller": {"name": "", "number": ""},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {"context": "x", "exten": "s", "priority": 1, "app_name": "", "app_data": ""},
    "creationtime": "2026-01-01T00:00:00.000+0000",
    "language": "en",
}


class World:
    """An Asterisk over a bad line: a channel is made or not, and an answer arrives or not."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.created = 0
        self.lives = False
        self.refuses = rng.choice([0, 0, 409, 500, 400])

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        fate = self._rng.choice(["arrives", "arrives", "lost before", "lost after", "garbled"])
        if fate == "lost before":
            if self._rng.random() < 0.5:
                raise AriUnreachable("no connection")
            raise AriNoAnswer("lost on the way")
        response = self._answer(request)
        if fate == "lost after":
            raise AriNoAnswer("answer lost")
        if fate == "garbled":
            raise AriNonsense("garbled")
        return response

    def _answer(self, request: Request) -> Response:
        if request.method == "POST":
            if self.refuses:
                return Response(self.refuses, {"message": "no"})
            self.created += 1
            self.lives = True
            return Response(200, CHANNEL)
        if self.lives and self._rng.random() < 0.2:
            self.lives = False  # it ended before we looked
        return Response(200, CHANNEL) if self.lives else Response(404, {"message": "Channel not found"})

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        raise AssertionError("nothing to download")


@given(seed=st.integers())
async def test_nothing_is_ever_asked_twice_and_no_proof_is_wrong(seed: int) -> None:
    """Whatever is lost on the way: at most one create, and "refused" or "unreachable" is said only of what never was."""
    world = World(random.Random(seed))
    channels = AriClient(world).channels
    known: Creation | AriError
    try:
        known = await create_or_find(
            channels, "c", channels.create(endpoint="Local/x", app="tr", channel_id="c")
        )
    except AriError as problem:
        known = problem
    if isinstance(known, AriError):
        assert (known.may_have_happened, world.created) == (False, 0)
    elif known is Creation.UNKNOWN:
        assert world.created <= 1
    else:
        assert (known in {Creation.MADE, Creation.FOUND}, world.created) == (True, 1)


async def test_a_refusal_is_raised_with_asterisks_words() -> None:
    """An endpoint that does not exist: 500 says so at once, and nobody looks."""

    class Refusing(World):
        async def send(self, request: Request, *, timeout_s: float) -> Response:
            assert request.method == "POST"
            return Response(500, {"error": "Allocation failed"})

    channels = AriClient(Refusing(random.Random(1))).channels
    with pytest.raises(AriServerError, match="Allocation failed"):
        await create_or_find(channels, "c", channels.create(endpoint="x", app="tr", channel_id="c"))
