// What sinks' connections carried, persisted with commits that come anyway.
#include "agent/run/intake.h"

namespace edgehose {
namespace {

constexpr Duration kTrafficWaits = std::chrono::hours(1);

}  // namespace

// It rides whatever is committed: a sink's state lies in the leaf page that is written anyway.
Status Intake::write_traffic(Store::Transaction& transaction, Made& made) {
  for (SinkLink& sink : sinks_) {
    if (!sink.meter) continue;
    const SinkTraffic traffic = sink.meter->now();
    if (traffic == sink.traffic) continue;
    EH_TRY(transaction.put_sink(SinkState{sink.id, sink.config.name, sink.note, traffic}));
    made.traffic.emplace_back(&sink, traffic);
  }
  return {};
}

// Where nothing else is committed, since every attempt fails, a power cut must not forget for ever
// what those attempts cost.
void Intake::look_for_traffic() {
  if (traffic_due_ != kNever) return;
  for (const SinkLink& sink : sinks_)
    if (sink.meter && sink.meter->now() != sink.traffic)
      traffic_due_ = clock_.now() + kTrafficWaits;
}

}  // namespace edgehose
