// refuse_all DATA_DIR REASON: what a destination that refuses everything does to a buffer. Of each
// lane what is buffered is claimed and settled as dead letters, by the code that couriers and
// intake use. The agent must be stopped. A directory refuses no record, so that tests of dead
// letters begin with this.
#include <cstdio>

#include "buffer/store.h"
#include "sinks/delivery/dead_letters.h"

namespace edgehose {
namespace {

Result<Claim> claim_all(Store& store, Store::Transaction& transaction, const LaneState& lane) {
  Claim claim;
  claim.lane = lane.key;
  claim.begin = lane.cursor;
  claim.end = {store.end_block(), 0};
  claim.size = lane.buffered();
  claim.key = "refused";
  return transaction.claim(claim);
}

Result<std::uint64_t> refuse_all(const std::string& directory, const std::string& reason) {
  const auto clock = make_system_clock();
  StoreOptions options;
  options.directory = directory;
  EH_ASSIGN(const auto store, Store::open(options, *clock));
  EH_ASSIGN(const auto open, store->claims());
  EH_ASSIGN(const auto lanes, store->lanes());
  std::uint64_t refused = 0;
  EH_ASSIGN(auto transaction, store->begin());
  const std::vector<Refusal> refusal{{{}, reason, 1, clock->wall()}};
  for (const Claim& claim : open) {
    EH_ASSIGN(auto dead, collect_dead_letters(*store, claim, refusal));
    refused += dead.size();
    EH_TRY(
        transaction->acknowledge({.claim = claim.id, .dead = std::move(dead), .unreadable = {}}));
  }
  for (const LaneState& lane : lanes) {
    // What no claim had: the rest of the lane.
    LaneState rest = lane;
    for (const Claim& claim : open) {
      if (claim.lane != lane.key) continue;
      rest.cursor = std::max(rest.cursor, claim.end);
      rest.dead_lettered += claim.size;
    }
    if (rest.buffered().records == 0) continue;
    EH_ASSIGN(const Claim claim, claim_all(*store, *transaction, rest));
    EH_ASSIGN(auto dead, collect_dead_letters(*store, claim, refusal));
    refused += dead.size();
    EH_TRY(
        transaction->acknowledge({.claim = claim.id, .dead = std::move(dead), .unreadable = {}}));
  }
  EH_TRY(transaction->commit());
  transaction.reset();
  EH_TRY(store->close());
  return refused;
}

}  // namespace
}  // namespace edgehose

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("refuse_all DATA_DIR REASON\n", stderr);
    return 2;
  }
  const auto refused = edgehose::refuse_all(argv[1], argv[2]);
  if (!refused) {
    std::fprintf(stderr, "refuse_all: %s\n", refused.error().message.c_str());
    return 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(*refused));
  return 0;
}
