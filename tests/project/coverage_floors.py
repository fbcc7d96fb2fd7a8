"""What `make coverage` must find: so many of the branches in the pure part, and of all.

The pure part is `core`, `config`, and `cluster` without its network.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests import ROOT

PURE, ALL = 95.0, 90.0
WITH_A_NETWORK = {"nats_bus.py", "nats_client.py", "service.py"}


def pure_files() -> set[str]:
    """Return the files of the pure part, as coverage names them."""
    package = ROOT / "ma_signaling"
    paths = [path for folder in ("core", "config", "cluster") for path in (package / folder).glob("*.py")]
    return {
        str(path.relative_to(ROOT))
        for path in paths
        if path.name not in WITH_A_NETWORK and path.stat().st_size
    }


def main() -> None:
    """Read what was measured, say it, and fail below a floor."""
    report = subprocess.run(
        [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = {name: each["summary"] for name, each in json.loads(report.stdout)["files"].items()}
    pure = pure_files()
    missing = pure - set(files)
    below = [f"not measured: {name}" for name in sorted(missing)]
    for what, floor, names in (("the pure part", PURE, pure - missing), ("all", ALL, set(files))):
        branches = sum(files[name]["num_branches"] for name in names)
        covered = sum(files[name]["covered_branches"] for name in names)
        percent = 100 * covered / branches
        sys.stdout.write(f"{what}: {covered} of {branches} branches, {percent:.1f} % (at least {floor:g})\n")
        if percent < floor:
            below.append(f"{what}: below {floor:g} %")
    raise SystemExit("\n".join(below) or 0)


if __name__ == "__main__":
    main()
