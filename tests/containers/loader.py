"""A loader: appends what comes to the file that its settings name, and prints each state."""

import json
import sys
from pathlib import Path

config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
with Path(config["file"]).open("a", encoding="utf-8") as file:
    for line in sys.stdin:
        file.write(line)
        file.flush()
        message = json.loads(line)
        if message["type"] == "STATE":
            sys.stdout.write(json.dumps(message["value"]) + "\n")
