"""Where the JavaScript clients are; skipped with the reason when they are not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import RunningOrg

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def jsforce(org: RunningOrg) -> Callable[[str], Any]:
    """Runs a piece of JavaScript with `jsforce` and `org` (the ready file) in scope; its `result` comes back as JSON."""
    node = HERE / "node_modules" / ".bin" / "node"
    if not node.exists():
        pytest.skip("the JavaScript clients are not installed: run `make test`, which needs npm")

    def run(body: str) -> Any:
        script = f"""
            const jsforce = require('jsforce');
            const org = {json.dumps(org.ready)};
            const failed = async (work) => {{ try {{ await work(); return null; }} catch (e) {{ return e; }} }};
            (async () => {{ {body} }})().then(
                (result) => process.stdout.write(JSON.stringify(result ?? null)),
                (error) => {{ console.error(error); process.exit(1); }});
        """
        done = subprocess.run([node, "-e", script], cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
