"""What ConnectyCube calls Apple's two worlds."""

from crm.models import App
from delivery.providers.contract import Environment

OURS = {
    App.Environment.DEVELOPMENT.value: Environment.SANDBOX.value,
    App.Environment.PRODUCTION.value: Environment.PRODUCTION.value,
}
THEIRS = {ours: theirs for theirs, ours in OURS.items()}
