#include "sinks/http_message.h"

#include <algorithm>
#include <cstring>

namespace edgehose {
namespace {

class Bytes final : public RequestBody, public std::enable_shared_from_this<Bytes> {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<std::unique_ptr<ByteStream>> open() override {
    return std::make_unique<Stream>(shared_from_this());
  }

 private:
  struct Stream final : ByteStream {
    explicit Stream(std::shared_ptr<const Bytes> from) : source(std::move(from)) {}
    Result<std::size_t> read(char* out, std::size_t size) override {
      const std::size_t n = std::min(size, source->bytes_.size() - at);
      std::memcpy(out, source->bytes_.data() + at, n);
      at += n;
      return n;
    }
    std::shared_ptr<const Bytes> source;
    std::size_t at = 0;
  };
  const std::string bytes_;
};

}  // namespace

std::shared_ptr<RequestBody> body_of(std::string bytes) {
  return std::make_shared<Bytes>(std::move(bytes));
}

const std::string* HttpResponse::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const HttpHeader& header) { return header.name == name; });
  return found == headers.end() ? nullptr : &found->value;
}

}  // namespace edgehose
