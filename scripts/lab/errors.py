"""What can go wrong with the lab, each with a sentence for the person who typed the command.

LabError
├── NeedsRoot        a root file system can only be made and entered by root
├── NotBuilt         there is no finished lab in this folder
├── BuildFailed      debootstrap or apt did not succeed; the log says why
├── PortBusy         somebody else listens where the lab should
├── StartFailed      Asterisk did not come up, or did not stay up
├── StillRunning     asked to change or remove what is running
├── CommandFailed    a helper program (sox, espeak-ng, the Asterisk console) said no
└── SippFailed       a far end did not come up, or ended badly
"""


class LabError(Exception):
    """Anything the lab reports in one sentence instead of a traceback."""


class NeedsRoot(LabError):
    """Only root may build and enter a root file system."""


class NotBuilt(LabError):
    """There is no finished lab in this folder."""


class BuildFailed(LabError):
    """debootstrap or apt did not succeed."""


class PortBusy(LabError):
    """Somebody else listens on a port the lab was told to use."""


class StartFailed(LabError):
    """Asterisk did not come up, or did not stay up."""


class StillRunning(LabError):
    """The lab is running and must be stopped first."""


class CommandFailed(LabError):
    """A helper program ended with an error."""


class SippFailed(LabError):
    """A SIPp far end did not come up, or ended badly."""
