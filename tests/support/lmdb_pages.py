"""An LMDB file written anew in pages of another size, as a machine with such pages would have made it.

Through the system's liblmdb, which takes the page size of the file that it opens.
"""

import ctypes
import struct

NO_SUBDIRECTORY, READ_ONLY, NO_LOCK = 0x4000, 0x20000, 0x400000
FIRST, NEXT = 0, 8
MAP_BYTES = 1 << 30
TOUCHES = 6  # commits after the first, so that both meta pages and the free list are LMDB's own


def empty_environment(word, size):
    """LMDB's two meta pages, as a build with words of 4 or 8 bytes makes them."""
    size_t = {4: "I", 8: "Q"}[word]

    def meta(number):
        head = struct.pack(f"<{size_t}HHI", number, 0, 0x08, 0)
        body = struct.pack(f"<II2{size_t}", 0xBEEFC0DE, 1, 0, 64 << 20)
        free, main = (struct.pack(f"<IHH5{size_t}", pad, flags, 0, 0, 0, 0, 0, 256**word - 1)
                      for pad, flags in ((size, 0x08), (0, 0)))
        return (head + body + free + main + struct.pack(f"<2{size_t}", 1, number)).ljust(size, b"\0")
    return meta(0) + meta(1)


class Value(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]

    @classmethod
    def of(cls, data):
        return cls(len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p))


class Environment:
    def __init__(self, lmdb, path, flags):
        self.lmdb, self.flags, self.handle = lmdb, flags, ctypes.c_void_p()
        self.call("env_create", ctypes.byref(self.handle))
        self.call("env_set_mapsize", self.handle, ctypes.c_size_t(MAP_BYTES))
        self.call("env_open", self.handle, str(path).encode(), flags | NO_SUBDIRECTORY | NO_LOCK, 0o600)

    def call(self, name, *arguments):
        if code := getattr(self.lmdb, "mdb_" + name)(*arguments):
            raise OSError(f"mdb_{name}: {code}")

    def begin(self):
        transaction, table = ctypes.c_void_p(), ctypes.c_uint()
        self.call("txn_begin", self.handle, None, self.flags, ctypes.byref(transaction))
        self.call("dbi_open", transaction, None, 0, ctypes.byref(table))
        return transaction, table

    def entries(self):
        transaction, table = self.begin()
        cursor, key, value, found = ctypes.c_void_p(), Value(), Value(), []
        self.call("cursor_open", transaction, table, ctypes.byref(cursor))
        step = FIRST
        while self.lmdb.mdb_cursor_get(cursor, ctypes.byref(key), ctypes.byref(value), step) == 0:
            found.append((ctypes.string_at(key.data, key.size), ctypes.string_at(value.data, value.size)))
            step = NEXT
        self.lmdb.mdb_cursor_close(cursor)
        self.lmdb.mdb_txn_abort(transaction)
        return found

    def put(self, entries):
        transaction, table = self.begin()
        for key, value in entries:
            self.call("put", transaction, table, ctypes.byref(Value.of(key)), ctypes.byref(Value.of(value)), 0)
        self.call("txn_commit", transaction)

    def close(self):
        self.lmdb.mdb_env_close(self.handle)


def copy(source, target, page_size):
    """How many entries there were. OSError: there is no liblmdb here, or it refused."""
    lmdb = ctypes.CDLL("liblmdb.so.0")
    target.write_bytes(empty_environment(ctypes.sizeof(ctypes.c_size_t), page_size))
    old = Environment(lmdb, source, READ_ONLY)
    entries = old.entries()
    old.close()
    new = Environment(lmdb, target, 0)
    new.put(entries)
    for _ in range(TOUCHES):
        new.put(entries[:1])
    new.close()
    return len(entries)
