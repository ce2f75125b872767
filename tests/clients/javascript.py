"""Runs the devices that are written on AWS's SDK for JavaScript."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ENDED_WITHIN_S = 60


def javascript(script: str, how: dict) -> subprocess.CompletedProcess:
    """Runs a script of the folder `js` with `how` as its argument."""
    modules = os.environ.get("GATEHOUSE_TEST_NODE_MODULES") or HERE.parent.parent / "target/node/node_modules"
    assert Path(modules).is_dir(), "`cargo xtask test --only clients` installs the SDK"
    return subprocess.run(
        ["node", HERE / "js" / script, json.dumps(how)],
        env=os.environ | {"NODE_PATH": str(modules)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDED_WITHIN_S,
    )


def outcome(done: subprocess.CompletedProcess) -> dict:
    """What a script that succeeded printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
