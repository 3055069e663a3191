"""A real Asterisk for tests and benches: built, started, fed with people and far ends, and taken away again.

    from scripts.lab import Lab

    lab = Lab.load()                                    # the one that `python -m scripts.lab start` made
    lab.dial_in("polite-yes", app="linekeeper", number="+15551000")
    with lab.sipp_uas("answer"):
        ...                                             # dial PJSIP/anything@lead

Everything here blocks: from asyncio call it through `asyncio.to_thread`.
"""

from scripts.lab.errors import LabError
from scripts.lab.lab import Lab
from scripts.lab.sipp import SippRun

__all__ = ["Lab", "LabError", "SippRun"]
