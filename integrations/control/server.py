"""The engine's side of the control socket.

Each client has a task of its own, a deadline for what it asks, and a place among a few: who comes when all are taken is
told so. A client that reads too slowly or goes away costs its own connection; its call goes on, unless it had asked for
the opposite. Who has gone before the call began calls nobody.
"""

import asyncio
import logging
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self, assert_never

from pydantic import BaseModel, ValidationError

from core.errors import LinekeeperError, StoreError
from core.ids import CallId
from core.logs import log_event
from integrations.control.address import FILE_NAME, address_of
from integrations.control.errors import ControlError
from integrations.control.protocol import (
    MAX_REQUEST_BYTES,
    REQUEST,
    CallNow,
    CallRequest,
    Ended,
    EntryNow,
    HangupRequest,
    HungUp,
    Placed,
    Problem,
    ProblemKind,
    Status,
    StatusRequest,
    line_of,
)
from sessions.call import Call
from sessions.dialling import NotANumber, clean_number
from sessions.engine import Engine, EngineState
from sessions.errors import NoEndpoint, NotDialling, UnknownScenario
from sessions.events import ASKED, StopRequested

_log = logging.getLogger(__name__)

MAX_CLIENTS: Final = 32
REQUEST_S: Final = 5.0
WRITE_S: Final = 5.0
READY_S: Final = 4.0
"""How long a call may wait for an engine that is just reconnecting."""
GOODBYE_S: Final = 2.0
"""How long clients may take for their last lines when the engine leaves."""

GRANTED_BY: Final = "the person typing"


class ControlServer:
    """Listens in the data folder for the time of an `async with`. Raises ControlError when it cannot.

    Whoever opens it holds the folder's lock, so a socket that is there already belongs to the dead.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._tasks = asyncio.TaskGroup()
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._ours: tuple[int, int] | None = None

    async def __aenter__(self) -> Self:
        listener = self._bind()
        await self._tasks.__aenter__()
        self._server = await asyncio.start_unix_server(self._came, sock=listener, limit=MAX_REQUEST_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self._remove()
        try:
            if self._clients:
                await asyncio.wait(self._clients, timeout=GOODBYE_S)
        finally:
            for client in self._clients:
                client.cancel()
            await self._tasks.__aexit__(
                None, None, None
            )  # what the body raised goes on as it is, in no group

    # -------------------------------------------------------------------------------------------- the socket

    def _bind(self) -> socket.socket:
        path = self._folder / FILE_NAME
        if os.path.lexists(path):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise ControlError(f"{path} is in the way of the control socket and is none: remove it")
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(self._folder) as address:
                listener.bind(address)
            path.chmod(0o600)  # before anyone can connect: nobody listens yet
        except OSError as error:
            listener.close()
            raise ControlError(f"{path}: {error.strerror}: commands could not reach this engine") from error
        except BaseException:
            listener.close()
            raise
        status = path.lstat()
        self._ours = (status.st_dev, status.st_ino)
        return listener

    def _remove(self) -> None:
        """Take the socket away, unless somebody has put another in its place."""
        path = self._folder / FILE_NAME
        try:
            status = path.lstat()
            if (status.st_dev, status.st_ino) == self._ours:
                path.unlink()
        except FileNotFoundError:
            pass

    # -------------------------------------------------------------------------------------------- clients

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(self._engine, reader, writer)
        full = len(self._clients) >= MAX_CLIENTS
        task = self._tasks.create_task(client.turn_away() if full else client.serve(), name="control client")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)


class _Client:
    """One connection: one request, and what comes of it."""

    def __init__(self, engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._engine = engine
        self._reader = reader
        self._writer = writer

    async def turn_away(self) -> None:
        """Say that all places are taken."""
        await self._last_words(
            Problem(kind=ProblemKind.BUSY, message="too many commands are asking this engine")
        )

    async def serve(self) -> None:
        """Read the request and carry it out. Never raises: a client is no reason to stop an engine."""
        try:
            await self._answer()
        except (OSError, TimeoutError) as error:
            log_event(_log, logging.DEBUG, "control_client_lost", error=str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001  # the client's supervisor: one command's fault must not stop the engine
            log_event(_log, logging.ERROR, "control_client_broke", exc_info=error)
            await self._last_words(
                Problem(kind=ProblemKind.FAILED, message="a fault of the engine; see its log")
            )
        finally:
            self._writer.close()

    async def _answer(self) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                line = await self._reader.readline()
            request = REQUEST.validate_json(line)
        except ValidationError as error:
            where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            await self._say(Problem(kind=ProblemKind.USAGE, message=f"not a request: {where}"))
            return
        except ValueError:  # longer than a request can be
            await self._say(Problem(kind=ProblemKind.USAGE, message="not a request: the line is too long"))
            return
        match request:
            case StatusRequest():
                await self._say(self._status())
            case HangupRequest(call_id=call_id):
                await self._say(HungUp(found=hang_up(self._engine, CallId(call_id))))
            case CallRequest():
                await self._call(request)
            case _:
                assert_never(request)

    def _status(self) -> Status:
        manager = self._engine.manager
        return Status(
            state=self._engine.state.value,
            app=manager.rules.app,
            engine=manager.rules.engine,
            pid=os.getpid(),
            run=self._engine.run.run_id,
            scenarios=manager.scenarios.ids,
            calls=tuple(
                CallNow(
                    call_id=call.call_id,
                    direction=call.plan.direction,
                    scenario=call.plan.flow.id,
                    phase=call.state.phase.value,
                )
                for call in manager.calls.values()
            ),
        )

    # -------------------------------------------------------------------------------------------- calls

    async def _call(self, request: CallRequest) -> None:
        async with asyncio.TaskGroup() as tasks:
            leaving = tasks.create_task(self._gone(), name="watch who asked for a call")
            placed = await self._place(request, leaving)
            if isinstance(placed, Call) and not leaving.done():
                telling = tasks.create_task(self._tell(placed), name=f"tell {placed.call_id}")
                await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
                telling.cancel()
            leaving.cancel()
        match placed:
            case Problem():
                await self._say(placed)
            case Call() if request.hang_up_if_gone and not placed.finished.is_set():
                placed.post(StopRequested(ASKED))

    async def _place(self, request: CallRequest, leaving: asyncio.Task[None]) -> Call | Problem | None:
        """The call, or why there is none; None when the client has left. A permit under way is never torn."""
        engine = self._engine
        try:
            number = clean_number(request.number)
            engine.manager.check_scenario(request.scenario)
            is_ready = await self._is_ready(leaving)
            if leaving.done() or self._reader.at_eof():
                log_event(_log, logging.INFO, "control_client_left_before_its_call")
                return None
            if not is_ready:
                return Problem(
                    kind=ProblemKind.NOT_READY,
                    message=f"the engine of this data folder has no connection to Asterisk (it is {engine.state.value})",
                )
            return await engine.call(
                number=number,
                scenario=request.scenario,
                line=request.line,
                granted_by=GRANTED_BY,
                endpoint=request.endpoint,
            )
        except (NotANumber, UnknownScenario, NoEndpoint) as error:
            return Problem(kind=ProblemKind.USAGE, message=str(error))
        except NotDialling as error:
            return Problem(kind=ProblemKind.REFUSED, message=str(error))
        except StoreError as error:
            return Problem(kind=ProblemKind.FAILED, message=str(error))

    async def _is_ready(self, leaving: asyncio.Task[None]) -> bool:
        """Whether the engine places calls before the client has lost patience."""
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(_is_ready(self._engine), name="wait for a ready engine")
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        return not waiting.cancelled() and waiting.result()

    async def _tell(self, call: Call) -> None:
        """The call as it goes on; a client that cannot be told is one that has gone."""
        try:
            await self._say(Placed(call_id=call.call_id))
            with call.timeline.follow() as entries:
                while (entry := await entries.get()) is not None:
                    await self._say(EntryNow(at_s=round(entry.at_s, 3), what=entry.what, detail=entry.detail))
            await call.finished.wait()
            await self._say(Ended(report=None if call.report is None else call.report.to_json()))
        except (OSError, TimeoutError) as error:
            log_event(_log, logging.DEBUG, "control_client_lost", error=str(error) or type(error).__name__)

    async def _gone(self) -> None:
        """Return when the client has closed its side. What else it says is not listened to."""
        try:
            while await self._reader.read(MAX_REQUEST_BYTES):
                pass
        except OSError:
            pass

    async def _say(self, said: BaseModel) -> None:
        async with asyncio.timeout(WRITE_S):
            self._writer.write(line_of(said))
            await self._writer.drain()

    async def _last_words(self, said: BaseModel) -> None:
        try:
            await self._say(said)
        except (OSError, TimeoutError, LinekeeperError):
            pass  # nobody listens any more
        finally:
            self._writer.close()


def hang_up(engine: Engine, call_id: CallId) -> bool:
    """Ask one call to end by its closing routine; False when it does not live."""
    call = engine.manager.calls.get(call_id)
    if call is None:
        return False
    call.post(StopRequested(ASKED))
    return True


async def _is_ready(engine: Engine) -> bool:
    """Whether it places calls, or will in a moment."""
    if engine.state in {EngineState.DRAINING, EngineState.REPLACED, EngineState.STOPPED}:
        return True  # `engine.call` has the sentence for it
    try:
        async with asyncio.timeout(READY_S):
            await engine.ready()
    except TimeoutError:
        return False
    return True
