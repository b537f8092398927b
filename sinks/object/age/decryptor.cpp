#include "sinks/object/age/decryptor.h"

#include <algorithm>
#include <cstring>

#include "sinks/object/age/payload.h"

namespace edgehose {
namespace {

Error corrupt(std::string message) { return Error{ErrorCode::kCorrupt, 0, std::move(message)}; }

bool looks_armored(std::string_view first_bytes) {
  const std::size_t text = first_bytes.find_first_not_of(" \t\r\n");
  return text != std::string_view::npos && first_bytes.substr(text).starts_with("-----BEGIN");
}

}  // namespace

bool looks_like_age(std::string_view first_bytes) {
  return first_bytes.starts_with("age-encryption.org/") || looks_armored(first_bytes);
}

AgeDecryptor::AgeDecryptor(std::unique_ptr<ByteStream> input, std::vector<AgeIdentity> identities,
                           AgeForm form)
    : raw_(std::move(input)), identities_(std::move(identities)), form_(form) {}

AgeDecryptor::~AgeDecryptor() { wipe(ready_); }

Status AgeDecryptor::refill() {
  ready_.clear();
  if (!input_) EH_TRY(start());
  return last_ ? check_end() : next_chunk();
}

tl::unexpected<Error> AgeDecryptor::failed_as(AgeFailure kind, Error error) {
  failure_ = armor_ && armor_->malformed() ? AgeFailure::kArmor : kind;
  return tl::unexpected<Error>(std::move(error));
}

Status AgeDecryptor::start() {
  EH_TRY(open_input());
  EH_ASSIGN(const age::Header header, read_header());
  auto file_key = age::unwrap_file_key(header, identities_);
  if (!file_key) {
    const bool no_match = file_key.error().code == ErrorCode::kAuth;
    return failed_as(no_match ? AgeFailure::kNoMatch : AgeFailure::kHeader,
                     std::move(file_key).error());
  }
  identities_.clear();
  EH_ASSIGN(const bool authentic, age::authentic(header, *file_key));
  if (!authentic)
    return failed_as(AgeFailure::kHmac, corrupt("age header: its MAC does not fit: the header was "
                                                "changed or damaged"));
  std::string nonce;
  EH_TRY(input_->take(age::kPayloadNonceBytes, nonce));
  if (nonce.size() != age::kPayloadNonceBytes)
    return failed_as(AgeFailure::kHeader, corrupt("age: the file is cut short after its header"));
  EH_ASSIGN(aead_, age::payload_aead(*file_key, nonce));
  return {};
}

Status AgeDecryptor::open_input() {
  auto direct = std::make_unique<age::BufferedInput>(std::move(raw_));
  // As much whitespace as armor may have in front of it, and a beginning.
  auto ahead = direct->peek(64);
  if (!ahead) {
    input_ = std::move(direct);
    return tl::unexpected<Error>(std::move(ahead).error());
  }
  const bool space = !ahead->empty() && std::strchr(" \t\r\n", ahead->front()) != nullptr &&
                     ahead->front() != '\0';
  if (form_ == AgeForm::kDetect && !space && !looks_armored(*ahead)) {
    input_ = std::move(direct);
    return {};
  }
  auto armor = std::make_unique<age::ArmorReader>(std::move(direct));
  armor_ = armor.get();
  input_ = std::make_unique<age::BufferedInput>(std::move(armor));
  return {};
}

Result<age::Header> AgeDecryptor::read_header() {
  age::HeaderParser parser;
  for (std::size_t size = 0; size < age::kMaxHeaderBytes;) {
    auto line = input_->line(4096);
    if (!line) {
      if (armor_ && armor_->malformed()) failure_ = AgeFailure::kArmor;
      return tl::unexpected<Error>(std::move(line).error());
    }
    if (!*line) {
      EH_ASSIGN(const std::string_view rest, input_->peek(1));
      return failed_as(AgeFailure::kHeader,
                       corrupt(rest.empty() ? "age header: the file is cut short inside it"
                                            : "age header: a line is too long or cut short"));
    }
    size += (*line)->size() + 1;
    auto done = parser.take_line(**line);
    if (!done) return failed_as(AgeFailure::kHeader, std::move(done).error());
    if (*done) return parser.take();
  }
  return failed_as(AgeFailure::kHeader, corrupt("age header: it is over 1 MiB"));
}

Status AgeDecryptor::next_chunk() {
  const std::string where = fmt::format("after {} bytes of plaintext", chunk_ * age::kChunkBytes);
  if (auto taken = input_->take(age::kSealedChunkBytes, sealed_); !taken) {
    if (armor_ && armor_->malformed()) failure_ = AgeFailure::kArmor;
    return taken;
  }
  if (sealed_.empty())
    return failed_as(AgeFailure::kPayload, corrupt("age: the file is cut short " + where));
  // A full chunk may be the last one; a shorter one must be.
  const bool full = sealed_.size() == age::kSealedChunkBytes;
  bool opened = false;
  if (full) {
    EH_ASSIGN(opened, aead_->open(age::chunk_nonce(chunk_, false), sealed_, ready_));
  }
  if (!opened) {
    EH_ASSIGN(opened, aead_->open(age::chunk_nonce(chunk_, true), sealed_, ready_));
    last_ = opened;
  }
  if (!opened)
    return failed_as(AgeFailure::kPayload,
                     corrupt("age: the file is damaged or cut short " + where));
  ++chunk_;
  if (!last_) return {};
  if (ready_.empty() && chunk_ > 1)
    return failed_as(AgeFailure::kPayload, corrupt("age: the last chunk is empty, " + where));
  return {};
}

// What follows the last chunk is found only after its plaintext was handed out, as the reference
// does.
Status AgeDecryptor::check_end() {
  ended_ = true;
  auto rest = input_->peek(1);
  if (!rest) {
    if (armor_ && armor_->malformed()) failure_ = AgeFailure::kArmor;
    return tl::unexpected<Error>(std::move(rest).error());
  }
  if (!rest->empty())
    return failed_as(AgeFailure::kPayload, corrupt("age: something follows the end of the file"));
  return {};
}

}  // namespace edgehose
