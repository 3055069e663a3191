"""Every check there is, in the order a person would mend them."""

from typing import Final

from integrations.checkup import asterisk_checks, audio_checks, machine_checks, settings_checks
from integrations.checkup.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *settings_checks.CHECKS,
    *machine_checks.CHECKS,
    *asterisk_checks.CHECKS,
    *audio_checks.CHECKS,
)
