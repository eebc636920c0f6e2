"""A worker that misses a dead one sooner: what else costs 30 seconds costs `CHAOS_HEARTBEAT_SECONDS`.

Nothing but these time-outs differs from the service's own worker.
"""

import os
from datetime import timedelta

import worker
from workflows import options, outbox

if __name__ == "__main__":
    patience = timedelta(seconds=int(os.environ["CHAOS_HEARTBEAT_SECONDS"]))
    for module in (options, outbox):
        vars(module)["HEARTBEAT_TIMEOUT"] = patience
    outbox.REPORTER_HEARTBEAT_TIMEOUT = min(patience, outbox.REPORTER_HEARTBEAT_TIMEOUT)
    worker.main()
