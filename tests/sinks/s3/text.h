// Text: a body that counts how often it was streamed.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "agent/base/stream.h"
#include "sinks/http_message.h"

namespace edgehose {

class Text final : public ByteSource {
 public:
  explicit Text(std::string text) : body_(body_of(std::move(text))) {}
  Result<std::unique_ptr<ByteStream>> open() override {
    ++opened;
    return body_->open();
  }
  int opened = 0;

 private:
  std::shared_ptr<RequestBody> body_;
};

}  // namespace edgehose
