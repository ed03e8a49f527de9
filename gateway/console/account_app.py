"""django-allauth's accounts, as an app of ours."""

from allauth.account.apps import AccountConfig


class OperatorAccountsConfig(AccountConfig):
    """The app as shipped, which would not start without its middleware before every request.

    Ours stands before those of pages (`gateway.console.middleware.Accounts`): APIs know no account.
    """

    def ready(self) -> None:
        """Load its checks."""
        from allauth.account import checks  # noqa: F401, PLC0415 - needs every app's models
