// What a batch is to a model destination: the numbers of its records, carried by a transport that
// answers when the test says so.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sinks/delivery/transport.h"

namespace edgehose {

using Records = std::vector<std::uint64_t>;

// What a batch is sent as: the numbers of its records.
class RecordsBody final : public ObjectBody {
 public:
  RecordsBody(Records held, std::uint64_t missing) : records(std::move(held)) {
    summary_->encoded = {records.size(), 10 * records.size()};
    summary_->missing_records = missing;
    summary_->object_bytes = 20 * records.size();
  }
  Result<std::unique_ptr<ByteStream>> open() override {
    return fail(ErrorCode::kUnsupported, "not read here");
  }
  std::shared_ptr<const ObjectSummary> summary() const override { return summary_; }

  const Records records;

 private:
  std::shared_ptr<ObjectSummary> summary_ = std::make_shared<ObjectSummary>();
};

// Of a claim over records of one block, of ten bytes each.
inline std::pair<Claim, Claim> halves_of(const Claim& whole) {
  const std::uint64_t half = whole.size.records / 2;
  Claim first = whole, second = whole;
  first.last = whole.first + (half - 1);
  second.first = whole.first + half;
  first.end =
      second.begin = {whole.begin.block, whole.begin.record + static_cast<std::uint32_t>(half)};
  first.size = {half, 10 * half};
  second.size = {whole.size.records - half, 10 * (whole.size.records - half)};
  return {std::move(first), std::move(second)};
}

// Requests of the model's that wait for their answer: a batch by its claim's id, or a question.
class ModelTransport final : public Transport {
 public:
  struct Sent {
    RequestId id;
    std::string name;  // "?": a question
    Records records;
    bool taken = false;  // what its answer will say, if there is one, is that nobody knows
  };
  void start(RequestId id, Request request, std::shared_ptr<const ObjectSummary>) override {
    const auto& file = std::get<FileRequest>(request);
    const auto* const body = static_cast<const RecordsBody*>(file.body.get());
    sent.push_back({id, file.name, body != nullptr ? body->records : Records{}});
  }
  Instant step(Instant, std::vector<Completion>& finished) override {
    if (answered) finished.push_back({*std::exchange(answered, std::nullopt), FileResponse{}});
    return kNever;
  }
  void abandon() override { sent.clear(); }
  std::vector<int> descriptors() const override { return {}; }

  std::vector<Sent> sent;
  std::optional<RequestId> answered;
};

}  // namespace edgehose
