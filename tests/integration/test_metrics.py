"""What Prometheus is told, and who else isn't."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.certificates import make_certificate
from tests.support.server_process import OPENER, ServerProcess

CONTRIB = ROOT / "contrib"


class ProcessTest(SynchronousTestCase):
    """The real thing, and what is built on it."""

    def _text(self) -> str:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        make_certificate(directory / "key.pem", directory / "cert.pem")
        options = ["--tls-cert", str(directory / "cert.pem"), "--tls-key", str(directory / "key.pem")]
        options += ["--port", "tcp:0:interface=127.0.0.1", "--nats-url", "nats://127.0.0.1:9"]
        options += ["--metrics-allow", "127.0.0.1"]
        with (
            ServerProcess(*options, plain="--http-port") as server,
            OPENER.open(server.http + "/metrics", timeout=5) as response,
        ):
            self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            text: str = response.read().decode()
            return text

    def test_prometheus_reads_it(self) -> None:
        text = self._text()
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        self.assertEqual((checked.returncode, checked.stderr + checked.stdout), (0, ""))

    def test_alerts_and_dashboard_use_what_is_there(self) -> None:
        alerts = CONTRIB / "prometheus-alerts.yml"
        subprocess.run(["promtool", "check", "rules", str(alerts)], capture_output=True, check=True)
        dashboard = CONTRIB / "grafana-dashboard.json"
        panels = json.loads(dashboard.read_text())["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        there = set(re.findall(r"(?m)^(?:# TYPE )?(\w+)", self._text()))
        there |= {name.removesuffix("_total") for name in there}
        there.add("ma_signaling_acme_failures")  # where a CA is asked: tests/integration/test_acme.py
        for path in (alerts, dashboard):
            used = set(re.findall(r"\b(?:ma_signaling|process)_\w+", path.read_text()))
            self.assertGreater(len(used), 5)
            self.assertEqual({name for name in used if name not in there}, set(), path.name)

    def test_every_metric_is_documented(self) -> None:
        text = self._text()
        page = (ROOT / "docs" / "monitoring.md").read_text()
        shown = set(re.findall(r"\bma_signaling_(\w+)", page))
        shown = {re.sub("_(bucket|count|sum)$", "", name) for name in shown}
        section = page.partition("all with the prefix `ma_signaling_`:")[2].partition("\n#")[0]
        named = set(re.findall(r"`([a-z_]+)`", section))
        there = set(re.findall(r"(?m)^# TYPE ma_signaling_(\w+)", text))
        self.assertGreater(len(there), 20)
        self.assertEqual(there - shown - named, set())
        self.assertEqual((shown | named) - there - {"acme_failures"}, set())

    def test_alerts_fire(self) -> None:
        rules = CONTRIB / "prometheus-alerts.yml"
        cases = Path(__file__).parent / "alerts_test.yml"
        checked = subprocess.run(
            ["promtool", "test", "rules", str(cases)], capture_output=True, text=True, check=False
        )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        names = set(re.findall(r"alert: (\w+)", rules.read_text()))
        self.assertEqual(set(re.findall(r"alertname=\"(\w+)\"", cases.read_text())), names)
