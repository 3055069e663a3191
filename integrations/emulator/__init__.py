"""An Asterisk played by ourselves: it refuses what the real one refuses and answers what it answers.

One core of state machines without sockets or clock (`core`), and thin shells around it: `memory` for tests on virtual
time, `server` for real sockets. `people` are those who are called, `faults` what goes wrong on the way.
"""

from integrations.emulator.core import Emulator as Emulator
from integrations.emulator.core import SocketId as SocketId
from integrations.emulator.people import PEOPLE as PEOPLE
from integrations.emulator.people import Person as Person
from integrations.emulator.replies import Reply as Reply
from integrations.emulator.world import EmulatorSettings as EmulatorSettings
