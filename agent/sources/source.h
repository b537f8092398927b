// Source: something that yields records. It reads, frames and remembers how far it came; it knows
// nothing of blocks, sinks or commits.
//
// Threading: every method belongs to the intake thread and never blocks on its input.
//
// The order of calls that intake keeps:
//   drain() ...            records go into the RecordSink, positions move in memory only
//   before_commit()        makes the input itself durable up to those positions
//   checkpoint(txn)        writes the moved positions into the transaction of their records
//   settled(committed)     the transaction is durable, or it failed and comes again later: what
//                          was handed in stays in intake's memory, nothing is read twice
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "buffer/record.h"
#include "buffer/store.h"

namespace edgehose {

// Where drained records go. Both appends copy. Sources stop when full() says so.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void append(const NewRecord& record) = 0;
  // Takes as many lines as are cheap to take together. What it leaves, and be it all, is handed in
  // with append(), which takes any record.
  virtual TakenLines append_lines(const NewLines&) { return {}; }
  virtual bool full() const = 0;  // this drain's share is used up, or the buffer is full
  // Bytes until it will be full, as far as that is known: to read more is to read it twice.
  virtual std::size_t room() const { return SIZE_MAX; }
};

struct DrainResult {
  bool more = false;      // stopped by full(): call again soon
  Instant next = kNever;  // when to call again even if no descriptor becomes readable
  // What was drained will not be readable again (rotated away, unlinked, truncated; a datagram):
  // commit without delay.
  bool urgent = false;
};

struct SourceHealth {
  std::string name;
  std::size_t files = 0;         // matching now
  std::uint64_t read_bytes = 0;  // since start
  std::uint64_t read_records = 0;
  std::uint64_t behind_bytes = 0;  // there, not yet read
  std::uint64_t copied_bytes = 0;  // since start: not read, in files taken for copies
  SourceLosses losses;             // ever, what is not committed included
  std::string problem;             // what keeps it from reading, and what to do; empty: nothing
  bool unreadable = false;         // there is something that `problem` keeps it from reading
  bool operator==(const SourceHealth&) const = default;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual const std::string& name() const = 0;
  // Becomes readable when drain() has something to do; -1: none, ask by time alone.
  virtual int fd() const = 0;
  virtual DrainResult drain(RecordSink& out) = 0;
  virtual Status before_commit() = 0;
  virtual Status checkpoint(Store::Transaction& transaction) = 0;
  virtual void settled(bool committed) = 0;
  // True when everything that was there at the first drain has been drained (run --once).
  virtual bool caught_up() const = 0;
  // How long a commit may wait for this source: zero for what cannot be read again means "now".
  virtual Duration commit_patience(Duration profile_limit) const = 0;
  virtual SourceHealth health() const = 0;
};

}  // namespace edgehose
