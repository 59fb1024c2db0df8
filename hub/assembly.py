"""The hub, put together: every part once, each given what it needs. No logic lives here."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import TracebackType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub.config import Config
from hub.connections import EMBEDDED, open_connections
from hub.desk.dial import Dialer
from hub.desk.own_numbers import OwnNumbers
from hub.desk.screen_pop import ScreenPop
from hub.errors import PatchbayError
from hub.flow.delivery.deliver import Deliverer
from hub.flow.described import Described
from hub.flow.directory.known import Directory
from hub.flow.directory.load import DirectoryPulls
from hub.flow.directory.resolving import resolving
from hub.flow.drift import Drift
from hub.flow.intake.accept import Acceptor
from hub.flow.lists.pull import ContactLists
from hub.flow.lists.schedules import Schedules
from hub.flow.mappings import Mappings
from hub.flow.read_back import ReadBack
from hub.flow.watch import Watch
from hub.store.access import Access
from hub.store.database import open_store
from hub.store.sample.load import load_sample
from hub.store.upgrade import upgrade

REFRESH_SECONDS = 1.0  # how long a mapping that another node published may go unnoticed where its bell was missed

log = structlog.get_logger()


class Hub:
    """One hub: its settings, its store and everything that works on it. Built, started, closed; or used in a `with`."""

    def __init__(self, config: Config) -> None:
        """Open the store and build the parts. Nothing runs yet, and no other system is called."""
        self.config = config
        self.started = False
        self._bell, self._stopping = threading.Event(), False
        with ExitStack() as closing:  # a part that cannot be built leaves nothing open
            self.store = open_store(config.database_url)
            closing.callback(self.store.close)
            upgrade(self.store)
            self.access = Access(self.store)
            self.connections = open_connections(config, self.store)
            self.mappings = Mappings(self.store, country=config.country, zone=config.zone)
            self.own_numbers = OwnNumbers(self.store, config)
            closing.callback(self.own_numbers.close)
            self.acceptor = Acceptor(self.store, self.mappings, config.country, self.own_numbers.learn)
            self.directory_pulls = DirectoryPulls(self.store, self.connections, config)
            self.directory = Directory(self.store, self.connections, self.directory_pulls.plan)
            self.described = Described(self.store)
            self.drift = Drift(self.store, self.connections, self.mappings, self.described, config.drift_hours)
            self.read_back = ReadBack(self.store, self.connections, self.described, config.country)
            self.deliverer = Deliverer(
                self.store,
                resolving(self.connections, self.directory),
                self.mappings,
                config,
                watchers=(self.drift.saw_refusals, self.read_back.saw),
                described=self.described,
                keepers=(self.read_back.to_read,),
            )
            self.lists = ContactLists(self.store, self.connections, self.mappings, config)
            self.watch = Watch(self.store, self.connections, config)
            self.schedules = Schedules(self.store, self.lists, self.directory_pulls, zone=config.zone)
            self.screen_pop = ScreenPop(
                self.store, self.connections, config, self.own_numbers, directory=self.directory
            )
            closing.callback(self.screen_pop.close)
            self.dialer = Dialer(
                self.store, self.connections, config, self.own_numbers, self.screen_pop.asking, self.directory
            )
            closing.callback(self.dialer.close)
            self._closing = closing.pop_all()

    def start(self, *, accept: bool = True, work: bool = True) -> None:
        """Take up the mapping files, then run: take events in (`accept`), deliver and pull by schedule (`work`)."""
        self.mappings.publish_files(self.config.mappings)
        if self.config.sample and any(one.connector == EMBEDDED for one in self.config.connections.values()):
            load_sample(self.store)
        self.store.on_wake("mappings", self._bell.set)
        refresher = threading.Thread(target=self._refresh, name="mappings", daemon=True)
        refresher.start()
        self._closing.callback(refresher.join, 5)
        self._closing.callback(self.directory_pulls.close)
        self._closing.callback(self.lists.close)  # a pull that was asked for may run without any worker
        at_work = (self.drift, self.read_back, self.deliverer, self.schedules)
        wanted = (self.acceptor if accept else None, *(at_work if work else ()))
        for part in wanted:
            if part is not None:
                part.start()
                self._closing.callback(part.close)
        self.watch.start(checks=work)
        self._closing.callback(self.watch.close)
        self.started = True

    def close(self) -> None:
        """Finish what is in flight, last begun first ended, and close the store."""
        self.started, self._stopping = False, True
        self._bell.set()
        self.connections.close()
        self._closing.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _refresh(self) -> None:
        while not self._stopping:
            self._bell.wait(REFRESH_SECONDS)
            self._bell.clear()
            try:
                self.mappings.refresh()
            except (PatchbayError, SQLAlchemyError) as error:  # what runs goes on running; the next look may succeed
                log.error("mappings not refreshed", error=type(error).__name__)
