"""Where no receiver of traces is set, nothing is paid for them."""

import os
import subprocess
import sys

import pytest

from devstack.place import ROOT

# redis imports OpenTelemetry's metrics by itself, where they are installed
IMPORTED = """
import sys, {}
print([m for m in ("opentelemetry.exporter", "opentelemetry.sdk.trace") if m in sys.modules])
"""


@pytest.mark.parametrize("module", ["gateway.wsgi", "gateway.celery"])
def test_where_it_is_off_nothing_of_it_is_imported(module):
    environ = {**os.environ, "GATEWAY_OTLP_ENDPOINT": "", "GATEWAY_METRICS_PORT": "0"}
    said = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(module)],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
