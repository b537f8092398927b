// AgeDecryptor: the plaintext of an age file, binary or armored, as a stream. A chunk's plaintext
// is handed out only after its tag was checked; a file that is cut short ends in an error.
//
// Threading: one thread at a time. Memory: two chunks of 64 KiB and the header.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/stream.h"
#include "sinks/object/age/armor.h"
#include "sinks/object/age/buffered_input.h"
#include "sinks/object/age/header.h"
#include "sinks/object/age/keys.h"

namespace edgehose {

// Where decrypting failed, as the format's test vectors distinguish it.
enum class AgeFailure { kArmor, kHeader, kNoMatch, kHmac, kPayload };

// kDetect: armored where it begins with a line of five dashes, maybe after whitespace.
enum class AgeForm { kDetect, kArmored };

// The header is read with the first read(). kAuth: no identity fits; kUnsupported: another version
// of the format; kCorrupt: damaged or cut short; what the input says where that fails.
class AgeDecryptor final : public PieceStream {
 public:
  AgeDecryptor(std::unique_ptr<ByteStream> input, std::vector<AgeIdentity> identities,
               AgeForm form = AgeForm::kDetect);
  ~AgeDecryptor() override;

  // After an error that is the file's; none for an error of the input.
  std::optional<AgeFailure> failure() const { return failure_; }

 private:
  Status refill() override;
  Status start();
  Status open_input();
  Result<age::Header> read_header();
  Status next_chunk();
  Status check_end();
  // Notes the kind, unless the armor below it was broken.
  tl::unexpected<Error> failed_as(AgeFailure kind, Error error);

  std::unique_ptr<ByteStream> raw_;
  std::vector<AgeIdentity> identities_;
  AgeForm form_;
  age::ArmorReader* armor_ = nullptr;  // inside input_, where the file is armored
  std::unique_ptr<age::BufferedInput> input_;
  std::optional<age::Aead> aead_;
  std::string sealed_;
  std::uint64_t chunk_ = 0;
  bool last_ = false;  // the last chunk was opened
  std::optional<AgeFailure> failure_;
};

// Whether these first bytes (64 suffice) begin an age file, binary or armored.
bool looks_like_age(std::string_view first_bytes);

}  // namespace edgehose
