// An age file, binary or armored: what opens was sealed to the key, the rest ends in an error.
#include <cctype>

#include "sinks/object/age/bech32.h"
#include "sinks/object/age/decryptor.h"
#include "sinks/object/age/encryptor.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

constexpr std::string_view kPlain = "a line\n";

class Text final : public PieceStream {
 public:
  explicit Text(std::string_view text) { ready_ = text; }

 private:
  Status refill() override {
    ready_.clear();
    ended_ = true;
    return {};
  }
};

// Of 32 bytes 0x42.
const AgeIdentity& identity() {
  static const AgeIdentity the_identity = [] {
    std::string text = age::encode_bech32("age-secret-key-", std::string(32, '\x42'));
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return AgeIdentity::parse(text).value();
  }();
  return the_identity;
}

std::string drain(ByteStream& stream, bool& whole) {
  std::string text, piece(4096, '\0');
  for (;;) {
    const auto read = stream.read(piece.data(), piece.size());
    whole = read.has_value();
    if (!read || *read == 0) return text;
    text.append(piece, 0, *read);
  }
}

}  // namespace

void one(std::string_view bytes) {
  AgeDecryptor decryptor(std::make_unique<Text>(bytes), {identity()});
  bool whole = false;
  const std::string text = drain(decryptor, whole);
  // Nobody but the seed below has sealed anything to this key.
  require(text.empty() || text == kPlain, "something opens that nobody sealed");
  static_cast<void>(looks_like_age(bytes.substr(0, 64)));
}

std::vector<std::string> seeds() {
  const auto file = AgeFile::make({identity().recipient()}).value();
  const auto stream = AgeEncryptor::of(std::make_unique<Text>(kPlain), file).value();
  bool whole = false;
  return {drain(*stream, whole),
          "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSA=\n"
          "-----END AGE ENCRYPTED FILE-----\n",
          "age-encryption.org/v1\n-> X25519 abc\ndef\n--- ghi\n"};
}

}  // namespace edgehose::fuzz
