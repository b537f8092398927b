// The lines of an object that are left to be sent (Batch::left), for tests whose line n is record
// n.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sinks/delivery/courier.h"

namespace edgehose {

inline std::vector<std::uint64_t> numbers_in(const std::string& text) {
  std::vector<std::uint64_t> numbers;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    numbers.push_back(std::strtoull(text.c_str() + at, nullptr, 10));
  return numbers;
}

// Up to 64 KiB of it.
inline Result<std::string> read_text(ByteSource& source) {
  std::string text(1 << 16, 0);
  EH_ASSIGN(const auto stream, source.open());
  EH_ASSIGN(const std::size_t read, stream->read(text.data(), text.size()));
  text.resize(read);
  return text;
}

class LeftBody final : public ObjectBody {
 public:
  LeftBody(std::shared_ptr<ObjectBody> whole, std::vector<SequenceRange> left)
      : whole_(std::move(whole)), left_(std::move(left)) {}

  Result<std::unique_ptr<ByteStream>> open() override {
    EH_ASSIGN(const std::string text, read_text(*whole_));
    std::string lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at) + 1;
      if (is_left(Sequence{std::strtoull(text.c_str() + at, nullptr, 10)}))
        lines += text.substr(at, end - at);
      at = end;
    }
    return std::make_unique<Lines>(std::move(lines));
  }
  std::shared_ptr<const ObjectSummary> summary() const override { return whole_->summary(); }

 private:
  class Lines final : public PieceStream {
   public:
    explicit Lines(std::string text) { ready_ = std::move(text); }

   private:
    Status refill() override {
      ready_.clear();
      ended_ = true;
      return {};
    }
  };
  bool is_left(Sequence n) const {
    return std::ranges::any_of(
        left_, [&](const SequenceRange& range) { return range.first <= n && n <= range.last; });
  }

  const std::shared_ptr<ObjectBody> whole_;
  const std::vector<SequenceRange> left_;
};

// As object_bodies(), of what is left.
inline OpenBody left_bodies(Store& store) {
  return [whole = object_bodies(store)](const Batch& batch) -> Result<std::shared_ptr<ObjectBody>> {
    EH_ASSIGN(std::shared_ptr<ObjectBody> body, whole(batch));
    if (batch.left.empty()) return body;
    return std::make_shared<LeftBody>(std::move(body), batch.left);
  };
}

}  // namespace edgehose
