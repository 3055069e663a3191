"""A call to each of the emulated people, through the shipped wiring, on virtual time."""

import pytest

from core.journal import read_journal
from logic.outcomes import Outcome
from tests.sessions.house import House, place, report_of

pytestmark = pytest.mark.virtual_time

EXPECTED = {
    "polite-yes": Outcome.COMPLETED,
    "polite-no": Outcome.COMPLETED,
    "silent": Outcome.SILENT,
    "hangs-up-at-once": Outcome.HUNG_UP,
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "presses-1": Outcome.COMPLETED,
    "stop-and-hangs-up": Outcome.HUNG_UP,
    "congestion": Outcome.CONGESTION,
    "rejects": Outcome.REJECTED,
}


@pytest.mark.parametrize("method", ["create", "originate"])
@pytest.mark.parametrize("person", EXPECTED)
async def test_a_call_ends_with_the_outcome_of_its_person_and_leaves_nothing(
    house: House, person: str, method: str
) -> None:
    """Each person gives their outcome by both ways of dialling; the journal is whole and nothing is left anywhere."""
    async with house.link() as link:
        async with house.engine(link, DIAL_METHOD=method) as engine:
            await engine.ready()
            call = await place(engine, person)
            report = await report_of(call)
            row = await engine.store.calls.get_call(call.call_id)
        house.assert_nothing_left(engine)
    assert report.outcome == EXPECTED[person]
    assert row is not None
    assert row.outcome == EXPECTED[person].value
    record = read_journal(house.folder / call.journal_path)
    assert record.complete
    assert record.lines[0].data["is"] == "Begin"
    assert record.lines[-2].kind == "end"
