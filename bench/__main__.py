"""The registry of measurements: `python -m bench --list`."""

import sys
from typing import Final

from bench import bots, broker, corpus, fanout, meters, parse, plans, soak, store, telegram
from bench.report import Named, run_named

REGISTRY: Final = {
    bots.NAME: Named(title=bots.TITLE, run=bots.run),
    broker.NAME: Named(title=broker.TITLE, run=broker.run),
    "corpus": Named(
        title="how well each fold of the corpus' families is read, rules frozen", run=corpus.run
    ),
    fanout.NAME: Named(title=fanout.TITLE, run=fanout.run),
    meters.NAME: Named(title=meters.TITLE, run=meters.run),
    "parse": Named(
        title="time to read one message of the corpus, and hostile texts", run=parse.run
    ),
    plans.NAME: Named(title=plans.TITLE, run=plans.run),
    soak.NAME: Named(title=soak.TITLE, run=soak.run),
    store.NAME: Named(title=store.TITLE, run=store.run),
    "telegram": Named(
        title="a thousand Telegram clients: memory, idle work, coming back after a restart",
        run=telegram.run,
    ),
}

if __name__ == "__main__":
    sys.exit(run_named(REGISTRY))
