"""A real search server's index as the destination of kill9.py: where documents go, when something
happened there, and what is there at the end."""
import os

import agent
import search_servers

SERVERS = ("opensearch", "elasticsearch")
INDEX = "gateway"


class SearchIndex:
    def __init__(self, name):
        self.server = search_servers.start(name)

    def close(self):
        self.server.stop()

    def sink(self, options):
        return self.server.sink(index=INDEX, batch={"max_raw_size": "256KiB", "max_age": "1s"})

    def stamp(self):
        """Newer whenever it has written a request's documents down."""
        newest = 0
        for folder, _, _ in os.walk(self.server.state):
            if folder.endswith("translog"):
                newest = max([newest, *(e.stat().st_mtime_ns for e in os.scandir(folder))])
        return newest

    def take_home(self, folder):
        """Every line, below `folder`; Failed where one id or one line is there twice."""
        ids = self.server.search.once(INDEX)
        count = self.server.search.count(INDEX)
        if count != len(ids):
            raise agent.Failed(f"{INDEX}/_count is {count}, of {len(ids)} ids")
        self.server.search.download(INDEX, folder)
        return f"{count} documents, each id once\n"
