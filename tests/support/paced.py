"""Run `mj` with short pauses in a process of its own: `python -m tests.support.paced PAUSES ARGUMENT...`"""

from __future__ import annotations

import json
import sys

from tests.support import pauses

if __name__ == "__main__":
    pauses.install()
    pauses.apply(json.loads(sys.argv.pop(1)))
    from mjcli.__main__ import main

    sys.exit(main())
