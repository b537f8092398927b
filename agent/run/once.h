// What `run --once` has to say of itself: how far it came, and at its end what was not delivered;
// what every run says at its end: what was given up. All are differences of the buffer's counters
// between its start and now: what earlier runs read and delivered is not this run's.
//
// Threading: values and pure functions, but read_ledger(), which reads the store.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/run/progress.h"
#include "agent/run/stranded.h"
#include "agent/sources/source.h"
#include "buffer/state.h"
#include "buffer/store.h"

namespace edgehose {

// The buffer's counters as of one moment.
struct Ledger {
  std::vector<SourceState> sources;
  std::vector<SinkState> sinks;
  std::vector<LaneState> lanes;
};
Result<Ledger> read_ledger(Store& store);
// What was given up between two moments. Empty: nothing.
struct Losses {
  // "sink archive: 12 records (1.2 KiB) dropped (the buffer was full), 3 records (300 B) refused
  // for good; source app: 5 records (500 B) not taken (the buffer was full)".
  std::string lost;
  // What a person gave up, or purged: "sink usb: 3 records (300 B)".
  std::string by_hand;
};
// `refused`: by sink, what became a dead letter between the two. The ledgers have only what is left
// of it: replays and purges move letters on to other counters.
Losses losses_since(const Ledger& start, const Ledger& now,
                    const std::map<std::string, Counter>& refused);

class OnceReport {
 public:
  // `start`: before this run read anything.
  OnceReport(Ledger start, std::vector<SinkInputs> sinks)
      : start_(std::move(start)), sinks_(std::move(sinks)) {}

  // The counts of records, summed over sources; a source's by its slowest sink.
  void count(const Ledger& now, Progress& progress) const;

  // Why not everything that was there is acknowledged, one line for each source and sink: what
  // could not be read, was dropped or refused by this run, or is stranded. Empty: all of it is.
  std::vector<std::string> shortfalls(const Ledger& now,
                                      const std::vector<SourceHealth>& sources) const;

  // What is left to be done where the time limit came first, one line for each sink and source.
  // `errors`: the sinks' last ones, by their name.
  std::vector<std::string> unfinished(const Ledger& now, const std::vector<SourceHealth>& sources,
                                      const std::map<std::string, std::string>& errors) const;

 private:
  bool configured(const LaneState& lane, const Ledger& now) const;

  const Ledger start_;
  const std::vector<SinkInputs> sinks_;
};

}  // namespace edgehose
