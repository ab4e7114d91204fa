"""Keeping the state of a registration as it goes, for whoever wants to continue it later."""

from typing import Protocol, final

from .state import RegistrationState


class Keeper(Protocol):
    """Whoever keeps states; the loop asks after each block of iterations."""

    def is_due(self) -> bool:
        """Whether a state between two iterations should be kept now."""
        ...

    def keep(self, state: RegistrationState) -> None:
        """Keep this state instead of the one before."""
        ...


@final
class KeepsNothing:
    """For registrations that nobody will continue."""

    def is_due(self) -> bool:
        """Never."""
        return False

    def keep(self, state: RegistrationState) -> None:
        """Do nothing."""
        del state
