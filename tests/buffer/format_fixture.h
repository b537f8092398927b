// A store whose buffer can be given another format version, as another release would have made it.
#pragma once

#include <fstream>
#include <vector>

#include "buffer/format.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"
#include "tests/buffer/store_fixture.h"

namespace edgehose {

class FormatTest : public StoreTest {
 protected:
  // Closes the store first.
  void mark(const keyspace::FormatVersion& format) {
    store_.reset();
    change([&](lmdb::Transaction& txn) {
      EXPECT_TRUE(txn.put(keyspace::format_key(), keyspace::encode_format(format)));
    });
  }
  // An empty buffer of 1.minor, open.
  void open_as_of(std::uint16_t minor) {
    open();
    mark({1, minor, 1});
    open();
  }
  // Ten records, claimed by the one lane that there is.
  Claim claim_ten() {
    const LaneKey key{store_->sink_id("archive"), store_->source_id("app")};
    add_lane(key);
    append(block_of(key.source, 10));
    return claim_blocks(key, BlockNumber(1), BlockNumber(2));
  }
  keyspace::FormatVersion marked() {
    return keyspace::decode_format(stored(keyspace::format_key())).value();
  }
  std::string stored(const std::string& key) {
    std::string value;
    change([&](lmdb::Transaction& txn) { value = txn.get(key).value().value_or(""); });
    return value;
  }
  // The store is not open: LMDB opens a file once in a process.
  template <class Change>
  void change(Change change) {
    auto env = lmdb::Environment::open(environment(), 64 << 20, false);
    ASSERT_TRUE(env) << env.error().message;
    auto txn = env->begin_write();
    ASSERT_TRUE(txn);
    change(*txn);
    ASSERT_TRUE(txn->commit());
  }
  // What a commit that `fill` fills leaves under a key.
  template <class Fill>
  std::string left_by(const std::string& key, Fill fill) {
    {
      const auto txn = begin();
      fill(*txn);
      EXPECT_TRUE(txn->commit());
    }
    store_.reset();
    std::string value = stored(key);
    open();
    return value;
  }
};

}  // namespace edgehose
