"""What outlives the process: SQLite in one file, one module per group of tables."""

from core.store.attempts import AttemptId as AttemptId
from core.store.attempts import AttemptRow as AttemptRow
from core.store.attempts import AttemptState as AttemptState
from core.store.calls import CallRow as CallRow
from core.store.calls import Direction as Direction
from core.store.database import Database as Database
from core.store.flow_states import FlowStateRow as FlowStateRow
from core.store.permits import DialPermit as DialPermit
from core.store.permits import PermitKind as PermitKind
from core.store.permits import PermitRow as PermitRow
from core.store.permits import PermitUsed as PermitUsed
from core.store.runs import PreviousEnd as PreviousEnd
from core.store.runs import RunId as RunId
from core.store.runs import RunRow as RunRow
from core.store.runs import RunStart as RunStart
from core.store.store import Store as Store
