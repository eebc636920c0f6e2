"""A worker that gives up a dead one sooner: after `CHAOS_HEARTBEAT_SECONDS`, not 30.

Nothing else differs from the service's own worker.
"""

import os
from datetime import timedelta

import worker
from workflows import options, outbox

if __name__ == "__main__":
    patience = timedelta(seconds=int(os.environ["CHAOS_HEARTBEAT_SECONDS"]))
    for module in (options, outbox):
        vars(module)["HEARTBEAT_TIMEOUT"] = patience
    worker.main()
