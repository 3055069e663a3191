"""What an engine is opened for: a value, so that commands can ask for one kind without knowing how it is wired."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """What this engine is for. `one_call` engines have an application of their own and take no inbound calls."""

    one_call: bool = False
    take_over: bool = False
