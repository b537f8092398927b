// EventBody: the records of a claim in the form that a service takes, encoded once into memory: a
// batch for such a service is a few MiB. Which records are in it is known with it.
//
// What a record looks like is its writer's matter; where records come from (blocks of the store,
// dead letters of a replay), which of them are left to be sent, and what is missing is this
// file's.
//
// Threading: one thread at a time; the Store is read from it, one call at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/record.h"
#include "sinks/delivery/courier.h"
#include "sinks/object/claim_reader.h"
#include "sinks/object/file_paths.h"
#include "sinks/object/object_encoder.h"
#include "sinks/sink.h"

namespace edgehose {

// Appends a record in its service's form. `file`: the path it came from; empty: not known. Nothing
// appended: there is nothing to be sent of it, which counts as delivered. One writer serves one
// batch.
class EventWriter {
 public:
  virtual ~EventWriter() = default;
  virtual void append(const Record& record, std::string_view file, std::string& out) = 0;
};
using MakeWriter = std::function<std::unique_ptr<EventWriter>(const Batch&)>;

// A body with more than one record in it is no longer than so many times what a batch is to have:
// only estimates tell that before it is made.
constexpr std::uint64_t kLongestBodyFactor = 2;

class EventBody final : public ObjectBody {
 public:
  // `limit`: bytes of a body with more than one record in it; what is longer is kFull, and so is
  // what the batch's size_limit tells to be refused.
  EventBody(Store& store, Batch batch, MakeWriter make_writer, std::uint64_t limit);

  // From the first record on, again.
  void rewind();
  // Appends a block's records, or all of a replay's that are still there; false: there are no more.
  Result<bool> more(std::string& out);
  // The records so far, in the body's order.
  const std::vector<SequenceRange>& sent() const { return sent_; }

  Result<std::unique_ptr<ByteStream>> open() override;
  std::shared_ptr<const ObjectSummary> summary() const override { return summary_; }

 private:
  Result<bool> more_of_blocks(std::string& out);
  Status append_block(const BlockPart& part, std::string& out);
  Status append_letters(std::string& out);
  Status append(const Record& record, std::string& out);
  bool is_left(Sequence sequence);
  bool any_left(Sequence first, Sequence end) const;
  void end();

  Store& store_;
  const Batch batch_;
  const MakeWriter make_writer_;
  const std::uint64_t limit_;
  const std::shared_ptr<ObjectSummary> summary_ = std::make_shared<ObjectSummary>();
  std::unique_ptr<EventWriter> writer_;
  std::unique_ptr<ClaimReader> blocks_;
  std::vector<SequenceRange> sent_;
  FilePaths paths_;
  std::size_t left_at_ = 0;  // in batch_.left
  bool ended_ = false;
};

// How a courier opens such bodies.
OpenBody event_bodies(Store& store, MakeWriter make_writer, std::uint64_t limit);

}  // namespace edgehose
