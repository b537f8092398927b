// A store with one source, one lane over it, and blocks of a quarter of a full one.
#pragma once

#include <initializer_list>
#include <vector>

#include "tests/buffer/store_fixture.h"

namespace edgehose {

class Minis : public StoreTest {
 protected:
  void SetUp() override {
    open();
    source_ = store_->source_id("app");
    key_ = {store_->sink_id("out"), source_};
    add_lane(key_);
  }
  // 64 KiB raw: the fourth makes a full block.
  RawBlock quarter(char fill = 'x') { return block_of(source_, 64, 1023, fill); }
  std::vector<BlockNumber> numbers(std::initializer_list<std::uint64_t> values) {
    std::vector<BlockNumber> out;
    for (const std::uint64_t v : values) out.push_back(BlockNumber(v));
    return out;
  }
  SourceId source_;
  LaneKey key_;
};

}  // namespace edgehose
