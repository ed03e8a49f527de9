"""The lines of docs/quick-start.md, run as they stand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from crm.commands.apps import create_app
from crm.models import DeviceToken, Segment
from delivery.models import Notification

PAGE = Path(__file__).parents[2] / "docs" / "quick-start.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_every_line_of_the_quick_start_works(live_server):
    app = create_app(name="Quick")
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    keys = {
        "BASE": live_server.url,
        "BACKEND": f"{app.api_key}:{app.server_key}",
        "DEVICE": f"{app.api_key}:{app.secret_key}",
    }

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(blocks) == 5
    assert DeviceToken.objects.get().install.user.uid == "maria"
    assert Notification.objects.count() == 2
    assert Segment.objects.get().name == "Gold members"
    assert '"userId":"maria"' in done.stdout.replace(" ", "")
