"""An import in a process of its own: prints how long it took, from the first line of the file to the last commit."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.work import RULES
from engine.importing import import_orders
from inbound.files import columns_of
from inbound.mapping import own_mapping
from inbound.orders import OrderFile
from storage.database import Database
from storage.schema import upgrade
from workflow.policy.policy import Orders

if __name__ == "__main__":
    database, path = Database(sys.argv[1]), Path(sys.argv[2])
    upgrade(database)
    begun = time.perf_counter()
    import_orders(database, OrderFile(path, own_mapping(columns_of(path)), Orders()), datetime.now(UTC), RULES)
    print(json.dumps({"seconds": time.perf_counter() - begun}))
    database.close()
