"""The commands' side of the control socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from integrations.control.address import address_of
from integrations.control.errors import ControlNonsense, ControlRefused, NobodyThere
from integrations.control.protocol import (
    MAX_LINE_BYTES,
    REPLY,
    CallRequest,
    Ended,
    EntryNow,
    HangupRequest,
    HungUp,
    Placed,
    Problem,
    Status,
    StatusRequest,
    line_of,
)

CONNECT_S: Final = 2.0
ANSWER_S: Final = 8.0
"""Longer than the engine waits for its Asterisk before it says no."""

T = TypeVar("T", Status, HungUp)

Heard = Status | Placed | EntryNow | Ended | HungUp


class ControlClient:
    """Asks the engine that holds a data folder. Every request is a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def status(self) -> Status:
        """Who is there, and what it does. Raises NobodyThere, ControlNonsense, ControlRefused."""
        return await self._one(StatusRequest(), Status)

    async def hang_up(self, call_id: str) -> bool:
        """End a call politely; False when it does not live. Raises as `status`."""
        return (await self._one(HangupRequest(call_id=call_id), HungUp)).found

    async def call(self, request: CallRequest) -> AsyncGenerator[Placed | EntryNow | Ended, None]:
        """Place a call and follow it: Placed, its entries, Ended. Raises as `status`.

        Between two entries there is no deadline: somebody may be talking.
        """
        async with self._connected(request) as reader:
            heard: Heard = await _heard(reader, ANSWER_S)
            while isinstance(heard, Placed | EntryNow):
                yield heard
                heard = await _heard(reader, None)
            if not isinstance(heard, Ended):
                raise ControlNonsense(f"the engine answered a call with {heard.said!r}")
            yield heard

    async def _one(self, request: BaseModel, kind: type[T]) -> T:
        async with self._connected(request) as reader:
            heard = await _heard(reader, ANSWER_S)
        if not isinstance(heard, kind):
            raise ControlNonsense(f"the engine answered with {heard.said!r}")
        return heard

    @asynccontextmanager
    async def _connected(self, request: BaseModel) -> AsyncIterator[asyncio.StreamReader]:
        try:
            with address_of(self._folder) as address:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_unix_connection(address, limit=MAX_LINE_BYTES)
        except (OSError, TimeoutError) as error:
            raise NobodyThere(f"no engine listens in {self._folder}") from error
        try:
            writer.write(line_of(request))
            async with asyncio.timeout(CONNECT_S):
                await writer.drain()
            yield reader
        except (OSError, TimeoutError) as error:
            raise ControlNonsense(f"the engine of {self._folder} broke off: {error}") from error
        finally:
            writer.close()


async def _heard(reader: asyncio.StreamReader, timeout_s: float | None) -> Heard:
    try:
        async with asyncio.timeout(timeout_s):
            line = await reader.readline()
        if not line:
            raise ControlNonsense("the engine closed the control socket before it had answered")
        reply = REPLY.validate_json(line)
    except ValidationError as error:
        raise ControlNonsense("what answers on the control socket is no engine of this version") from error
    except ValueError as error:
        raise ControlNonsense("the engine's answer is longer than an answer can be") from error
    except TimeoutError as error:
        raise ControlNonsense(
            f"the engine does not answer on its control socket within {timeout_s:g} s"
        ) from error
    if isinstance(reply, Problem):
        raise ControlRefused(reply.kind, reply.message)
    return reply
