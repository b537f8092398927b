// The text form of an age file, which `age -a` writes: strict PEM. Lines of 64 columns of padded
// base64 between two marker lines; LF or CRLF; whitespace only before and after all of it.
#pragma once

#include <memory>
#include <string>

#include "agent/base/stream.h"
#include "sinks/object/age/buffered_input.h"

namespace edgehose::age {

constexpr std::string_view kArmorBegin = "-----BEGIN AGE ENCRYPTED FILE-----";
constexpr std::string_view kArmorEnd = "-----END AGE ENCRYPTED FILE-----";

// The bytes that an armored input holds. kCorrupt where its grammar is broken, and then
// malformed().
class ArmorReader final : public ByteStream {
 public:
  explicit ArmorReader(std::unique_ptr<BufferedInput> input) : input_(std::move(input)) {}
  Result<std::size_t> read(char* out, std::size_t size) override;
  bool malformed() const { return malformed_; }

 private:
  Status begin();
  Status next_line();
  Status end();
  tl::unexpected<Error> broken(std::string_view what);

  std::unique_ptr<BufferedInput> input_;
  std::string decoded_;
  std::size_t used_ = 0;
  std::uint64_t line_ = 0;
  bool begun_ = false, ended_ = false, last_seen_ = false, malformed_ = false;
};

}  // namespace edgehose::age
