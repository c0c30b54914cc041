"""Settings and policy of a daemon that have changed: read again while it runs, and refused whole where something is wrong."""

import copy

from admin.app import App
from admin.settings_digest import digest_of
from effects.letters import Letters
from jobs.passes import Renewed
from language import tr
from workflow.errors import AftersalesError, UsageError


class Reloader:
    """Reads the settings, the policy, and the user's templates again when one of their files has changed."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._seen = digest_of(app)
        self._unreadable: str | None = None
        """Why the settings could not be read the last time."""

    def __call__(self) -> Renewed | None:
        """Return what has changed; None if nothing has since the last call.

        Raises:
            AftersalesError: something is wrong with it, and all stays as it was; or the database was changed.

        """
        fresh = copy.copy(self._app)
        try:
            fresh.settings = self._app.reread_settings()
        except AftersalesError as error:
            before, self._unreadable, self._seen = self._unreadable, str(error), ""
            if before == self._unreadable:
                return None  # what is wrong is said once
            raise
        digest, self._unreadable = digest_of(fresh), None
        if digest == self._seen:
            return None
        self._seen = digest
        if fresh.settings.database != self._app.settings.database:
            raise UsageError(tr("another database is set: the daemon must be stopped and started for that"))
        wrong = next(Letters(fresh.settings.templates).problems(), None)
        if wrong is not None:
            raise UsageError(wrong)
        runtime = fresh.runtime()
        self._app = fresh
        return Renewed(runtime.rules, runtime.messenger, runtime.places, runtime.taking_in, digest)
