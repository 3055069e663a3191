"""Channels: make them, dial them, speak and listen on them, let them go."""

from collections.abc import Mapping, Sequence

from core.ari_client.media import IfExists, Recording, TerminateOn, media_parameters
from core.ari_client.send import Sender, many, one, quoted, value_in
from core.ari_models import Channel
from core.errors import AriGone

_NO_SUCH_VARIABLE = "variable was not found"


class Channels:
    """`/channels`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(
        self,
        *,
        endpoint: str,
        app: str,
        channel_id: str,
        app_args: str = "",
        variables: Mapping[str, str] | None = None,
        originator: str = "",
    ) -> None:
        """Make a channel that is ours at once and rings nobody yet: `dial` does that.

        Asterisk answers 500 for an endpoint that does not exist, or 409 (see `core.ari_client.doubt`).
        """
        query = {"endpoint": endpoint, "app": app, "channelId": channel_id}
        if app_args:
            query["appArgs"] = app_args
        if originator:
            query["originator"] = originator
        body = {"variables": dict(variables)} if variables else None
        await self._sender.send("POST", "channels/create", query, body, conflict_sticks=True)

    async def dial(self, channel_id: str, *, timeout_s: int, caller: str = "") -> None:
        """Let a created channel ring, for so many whole seconds. Never send it twice: Asterisk 16 crashes on that."""
        query = {"timeout": _ring_time(timeout_s)}
        if caller:
            query["caller"] = caller
        await self._sender.send("POST", f"channels/{quoted(channel_id)}/dial", query)

    async def originate(
        self,
        *,
        endpoint: str,
        app: str,
        channel_id: str,
        timeout_s: int,
        app_args: str = "",
        caller_id: str = "",
        variables: Mapping[str, str] | None = None,
        originator: str = "",
    ) -> None:
        """Make a channel and let it ring; it enters the application when it is answered."""
        query = {
            "endpoint": endpoint,
            "app": app,
            "channelId": channel_id,
            "timeout": _ring_time(timeout_s),
        }
        if app_args:
            query["appArgs"] = app_args
        if caller_id:
            query["callerId"] = caller_id
        if originator:
            query["originator"] = originator
        body = {"variables": dict(variables)} if variables else None
        await self._sender.send("POST", "channels", query, body, conflict_sticks=True)

    async def answer(self, channel_id: str) -> None:
        """Answer an inbound channel."""
        await self._sender.send("POST", f"channels/{quoted(channel_id)}/answer")

    async def hangup(self, channel_id: str, *, reason_code: int | None = None, reason: str = "") -> None:
        """Hang up, with a Q.850 cause or one of Asterisk's words (normal, busy, congestion, no_answer, ...)."""
        query = {}
        if reason_code is not None:
            query["reason_code"] = str(reason_code)
        elif reason:
            query["reason"] = reason
        await self._sender.send("DELETE", f"channels/{quoted(channel_id)}", query)

    async def ring(self, channel_id: str) -> None:
        """Tell an inbound caller that it rings."""
        await self._sender.send("POST", f"channels/{quoted(channel_id)}/ring")

    async def continue_in_dialplan(
        self, channel_id: str, *, context: str = "", extension: str = "", priority: int | None = None
    ) -> None:
        """Hand the channel back to the dialplan, by default to where it came from."""
        query = {}
        if context:
            query["context"] = context
        if extension:
            query["extension"] = extension
        if priority is not None:
            query["priority"] = str(priority)
        await self._sender.send("POST", f"channels/{quoted(channel_id)}/continue", query)

    async def set_variable(self, channel_id: str, *, name: str, value: str) -> None:
        """Set a variable or call a function. The value travels in the body, where it may be long."""
        path = f"channels/{quoted(channel_id)}/variable"
        await self._sender.send("POST", path, body={"variable": name, "value": value})

    async def get_variable(self, channel_id: str, *, name: str) -> str | None:
        """The value of a variable or function; None when there is no such variable. AriGone: no such channel."""
        path = f"channels/{quoted(channel_id)}/variable"
        try:
            body = await self._sender.send("GET", path, {"variable": name})
        except AriGone as problem:
            if _NO_SUCH_VARIABLE in problem.reason:
                return None
            raise
        return value_in(body, f"GET {path}")

    async def list(self) -> tuple[Channel, ...]:
        """All channels of this Asterisk, also those of others."""
        return many(Channel.from_json, await self._sender.send("GET", "channels"), "GET channels")

    async def get(self, channel_id: str) -> Channel:
        """One channel."""
        path = f"channels/{quoted(channel_id)}"
        return one(Channel.from_json, await self._sender.send("GET", path), f"GET {path}")

    async def play(self, channel_id: str, *, playback_id: str, media: Sequence[str]) -> None:
        """Play sounds one after another to this channel alone."""
        query, body = media_parameters(media)
        path = f"channels/{quoted(channel_id)}/play/{quoted(playback_id)}"
        await self._sender.send("POST", path, query, body)

    async def record(
        self,
        channel_id: str,
        *,
        name: str,
        format: str = "wav",  # noqa: A002 - ARI's own word
        max_duration_s: int = 0,
        max_silence_s: int = 0,
        if_exists: IfExists = "fail",
        terminate_on: TerminateOn = "none",
        beep: bool = False,
    ) -> None:
        """Record what this channel says."""
        recording = Recording(
            name=name,
            format=format,
            max_duration_s=max_duration_s,
            max_silence_s=max_silence_s,
            if_exists=if_exists,
            terminate_on=terminate_on,
            beep=beep,
        )
        await self._sender.send("POST", f"channels/{quoted(channel_id)}/record", recording.query())


def _ring_time(timeout_s: int) -> str:
    """ARI's timeout: 0 and -1 would ring for ever, which nobody may."""
    if timeout_s < 1:
        raise ValueError(f"ring timeout {timeout_s}: at least one second")
    return str(timeout_s)
