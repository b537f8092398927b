#include "buffer/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#if defined(__arm__) || defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <climits>
#include <cstring>

#include "agent/base/base64.h"
#include "agent/base/bytes.h"
#include "agent/base/crc32c.h"
#include "agent/base/log.h"
#include "agent/base/text.h"

namespace edgehose {
namespace {

constexpr std::uint8_t kWrappedVersion = 1;
constexpr std::size_t kFingerprintBytes = 8;
constexpr std::size_t kWrappedPlain = 1 + 1 + 8 + kFingerprintBytes;  // what precedes the nonce
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kWrappedBytes =
    kWrappedPlain + std::tuple_size_v<Nonce> + kKeyBytes + std::tuple_size_v<Tag>;
constexpr std::size_t kMaxDataKeys = 4096;

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// One for each thread that opens, so that const calls need no lock.
EVP_CIPHER_CTX* thread_context() {
  thread_local const Context context(EVP_CIPHER_CTX_new());
  return context.get();
}

const EVP_CIPHER* algorithm(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
}

bool known(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm || cipher == Cipher::kChaCha20Poly1305;
}

using KeyBytes = std::array<std::uint8_t, kKeyBytes>;

unsigned char* bytes(char* p) { return reinterpret_cast<unsigned char*>(p); }
const unsigned char* bytes(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

bool encrypt(EVP_CIPHER_CTX* ctx, Cipher cipher, const KeyBytes& key, const Nonce& nonce,
             std::string_view associated, char* data, std::size_t size, Tag& tag) {
  int n = 0;
  const bool done =
      ctx != nullptr &&
      EVP_EncryptInit_ex(ctx, algorithm(cipher), nullptr, key.data(), nonce.data()) == 1 &&
      EVP_EncryptUpdate(ctx, nullptr, &n, bytes(associated), static_cast<int>(associated.size())) ==
          1 &&
      EVP_EncryptUpdate(ctx, bytes(data), &n, bytes(data), static_cast<int>(size)) == 1 &&
      EVP_EncryptFinal_ex(ctx, bytes(data) + n, &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()), tag.data()) ==
          1;
  if (ctx != nullptr) EVP_CIPHER_CTX_reset(ctx);  // wipes the key schedule
  return done;
}

bool decrypt(EVP_CIPHER_CTX* ctx, Cipher cipher, const KeyBytes& key, const Nonce& nonce,
             std::string_view associated, char* data, std::size_t size, Tag tag) {
  int n = 0;
  const bool done =
      ctx != nullptr &&
      EVP_DecryptInit_ex(ctx, algorithm(cipher), nullptr, key.data(), nonce.data()) == 1 &&
      EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) ==
          1 &&
      EVP_DecryptUpdate(ctx, nullptr, &n, bytes(associated), static_cast<int>(associated.size())) ==
          1 &&
      EVP_DecryptUpdate(ctx, bytes(data), &n, bytes(data), static_cast<int>(size)) == 1 &&
      EVP_DecryptFinal_ex(ctx, bytes(data) + n, &n) == 1;
  if (ctx != nullptr) EVP_CIPHER_CTX_reset(ctx);
  if (!done) std::memset(data, 0, size);  // never hand out what failed its tag
  return done;
}

Status fill_random(void* out, std::size_t size) {
  if (RAND_priv_bytes(static_cast<unsigned char*>(out), static_cast<int>(size)) != 1)
    return fail(ErrorCode::kIo, "the system gave no random bytes for encryption");
  return {};
}

// Overwrites key text on every way out.
struct Wiped {
  std::string text;
  ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
};

std::string fingerprint_of(const KeyBytes& key) {
  constexpr std::string_view kLabel = "edgehose wrapping key";
  Wiped message{std::string(kLabel)};
  message.text.append(reinterpret_cast<const char*>(key.data()), key.size());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes(std::string_view(message.text)), message.text.size(), digest.data());
  return std::string(reinterpret_cast<const char*>(digest.data()), kFingerprintBytes);
}

struct DataKey {
  std::uint64_t id = 0;
  Cipher cipher{};
  KeyBytes key{};
  std::string wrapped_by;  // fingerprint
  std::string wrapped;     // the stored form

  DataKey() = default;
  DataKey(DataKey&& o) noexcept
      : id(o.id),
        cipher(o.cipher),
        key(o.key),
        wrapped_by(std::move(o.wrapped_by)),
        wrapped(std::move(o.wrapped)) {
    OPENSSL_cleanse(o.key.data(), o.key.size());
  }
  DataKey& operator=(DataKey&& o) noexcept {
    id = o.id;
    cipher = o.cipher;
    key = o.key;
    wrapped_by = std::move(o.wrapped_by);
    wrapped = std::move(o.wrapped);
    OPENSSL_cleanse(o.key.data(), o.key.size());
    return *this;
  }
  ~DataKey() { OPENSSL_cleanse(key.data(), key.size()); }
};

// The parts of a wrapped key, none of them secret.
struct Wrapped {
  std::uint64_t id = 0;
  Cipher cipher{};
  std::string_view associated, fingerprint, ciphertext;
  Nonce nonce{};
  Tag tag{};
};

Result<Wrapped> parse_wrapped(std::string_view stored) {
  if (stored.size() != kWrappedBytes)
    return fail(ErrorCode::kCorrupt, "a stored data key has {} bytes where {} are expected",
                stored.size(), kWrappedBytes);
  ByteReader in(stored);
  Wrapped w;
  const auto version = in.le<std::uint8_t>();
  if (version != kWrappedVersion)
    return fail(ErrorCode::kUnsupported,
                "a stored data key has format {}, of a later release; upgrade to read this buffer",
                version);
  w.cipher = static_cast<Cipher>(in.le<std::uint8_t>());
  w.id = in.le<std::uint64_t>();
  w.fingerprint = in.take(kFingerprintBytes);
  w.associated = stored.substr(0, kWrappedPlain);
  std::ranges::copy(in.take(w.nonce.size()), w.nonce.begin());
  w.ciphertext = in.take(kKeyBytes);
  std::ranges::copy(in.take(w.tag.size()), w.tag.begin());
  if (w.id == 0 || !known(w.cipher))
    return fail(ErrorCode::kCorrupt, "a stored data key is damaged: its number or cipher is none");
  return w;
}

std::string configured_names(const std::vector<WrappingKey>& keys) {
  if (keys.empty()) return "none is configured";
  std::string names = "configured:";
  for (const WrappingKey& k : keys) names += fmt::format(" {} ({})", k.name, fingerprint(k));
  return names;
}

Result<DataKey> unwrap(std::string_view stored, const std::vector<WrappingKey>& keys) {
  EH_ASSIGN(const Wrapped w, parse_wrapped(stored));
  const auto wrapping = std::ranges::find_if(
      keys, [&](const WrappingKey& k) { return fingerprint_of(k.bytes) == w.fingerprint; });
  if (wrapping == keys.end())
    return fail(
        ErrorCode::kAuth,
        "the buffer is encrypted, and the key with fingerprint {} that opens it is not among "
        "buffer.encryption_keys ({}); add it to the list, last if it is an old one. Nothing "
        "was changed",
        to_hex(w.fingerprint), configured_names(keys));
  DataKey key;
  std::memcpy(key.key.data(), w.ciphertext.data(), kKeyBytes);
  if (!decrypt(thread_context(), Cipher::kAes256Gcm, wrapping->bytes, w.nonce, w.associated,
               reinterpret_cast<char*>(key.key.data()), kKeyBytes, w.tag))
    return fail(ErrorCode::kCorrupt, "data key {:x}, wrapped by {}, is damaged: it fails its tag",
                w.id, wrapping->name);
  key.id = w.id;
  key.cipher = w.cipher;
  key.wrapped_by = w.fingerprint;
  key.wrapped = stored;
  return key;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_text(std::string_view s) {
  return std::ranges::all_of(s, [](unsigned char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

Cipher preferred_cipher() {
#if defined(__x86_64__) || defined(__i386__)
  const bool aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
  const bool aes = (getauxval(AT_HWCAP) & HWCAP_AES) && (getauxval(AT_HWCAP) & HWCAP_PMULL);
#elif defined(__arm__)
  const bool aes = (getauxval(AT_HWCAP2) & HWCAP2_AES) && (getauxval(AT_HWCAP2) & HWCAP2_PMULL);
#else
  const bool aes = false;
#endif
  return aes ? Cipher::kAes256Gcm : Cipher::kChaCha20Poly1305;
}

Result<WrappingKey> parse_wrapping_key(std::string_view name, std::string_view content) {
  Wiped key;
  const std::string_view text = trim(content);
  if (content.size() == kKeyBytes && !is_text(content)) {
    key.text = content;
  } else if (auto hex = text.size() == 2 * kKeyBytes ? from_hex(text) : std::nullopt) {
    key.text = std::move(*hex);
  } else if (auto decoded = decode_base64(text, true)) {
    key.text = std::move(*decoded);
  }
  if (key.text.size() != kKeyBytes)
    return fail(ErrorCode::kInvalid,
                "{}: {} bytes are not an encryption key; expected are 64 hexadecimal digits (make "
                "them with \"edgehose key new\"), base64 of 32 bytes, or 32 random raw bytes",
                name, content.size());
  if (key.text.find_first_not_of(key.text[0]) == std::string::npos)
    return fail(ErrorCode::kInvalid,
                "{}: all bytes of the key are the same; make one with \"edgehose key new\"", name);
  WrappingKey result;
  result.name = name;
  std::memcpy(result.bytes.data(), key.text.data(), kKeyBytes);
  return result;
}

Result<std::string> make_wrapping_key() {
  Wiped key{std::string(kKeyBytes, '\0')};
  EH_TRY(fill_random(key.text.data(), key.text.size()));
  return to_hex(key.text) + "\n";
}

std::string fingerprint(const WrappingKey& key) { return to_hex(fingerprint_of(key.bytes)); }

struct Keyring::State {
  std::vector<DataKey>
      keys;  // by id, so by age; the last one is current where there is one to write with
  std::vector<WrappedKey> to_write;
  std::uint64_t current = 0;
  Context context{EVP_CIPHER_CTX_new()};  // for sealing
  std::array<std::uint8_t, 8> nonce_prefix{};
  std::uint32_t nonce_counter = 0;
  bool nonce_drawn = false;

  const DataKey* find(std::uint64_t id) const {
    const auto it = std::ranges::lower_bound(keys, id, {}, &DataKey::id);
    return it != keys.end() && it->id == id ? &*it : nullptr;
  }

  Result<Nonce> next_nonce() {
    if (!nonce_drawn || nonce_counter == UINT32_MAX) {
      EH_TRY(fill_random(nonce_prefix.data(), nonce_prefix.size()));
      nonce_drawn = true;
      nonce_counter = 0;
    }
    Nonce nonce{};
    std::ranges::copy(nonce_prefix, nonce.begin());
    ++nonce_counter;
    for (unsigned i = 0; i < 4; ++i)
      nonce[8 + i] = static_cast<std::uint8_t>(nonce_counter >> (24 - 8 * i));
    return nonce;
  }

  Status wrap(DataKey& key, const WrappingKey& wrapping) {
    key.wrapped_by = fingerprint_of(wrapping.bytes);
    std::string out;
    put_le(out, kWrappedVersion);
    put_le(out, static_cast<std::uint8_t>(key.cipher));
    put_le(out, key.id);
    out += key.wrapped_by;
    EH_ASSIGN(const Nonce nonce, next_nonce());
    KeyBytes secret = key.key;
    Tag tag{};
    const bool done = encrypt(context.get(), Cipher::kAes256Gcm, wrapping.bytes, nonce, out,
                              reinterpret_cast<char*>(secret.data()), secret.size(), tag);
    if (!done) return fail(ErrorCode::kIo, "wrapping a data key failed");
    out.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
    out.append(reinterpret_cast<const char*>(secret.data()), secret.size());
    out.append(reinterpret_cast<const char*>(tag.data()), tag.size());
    key.wrapped = out;
    to_write.push_back({key.id, std::move(out)});
    return {};
  }

  // An id's upper half counts up, so that ids sort by age; its lower half is random, so that a key
  // that was lost and the one made after it never share an id.
  Status make_key(Cipher cipher, const WrappingKey& wrapping) {
    DataKey key;
    std::uint32_t low = 0;
    EH_TRY(fill_random(&low, sizeof low));
    const std::uint64_t generation = keys.empty() ? 1 : (keys.back().id >> 32) + 1;
    if (generation > UINT32_MAX)
      return fail(ErrorCode::kCorrupt, "data key {:x} has a number that was never given",
                  keys.back().id);
    key.id = generation << 32 | low;
    key.cipher = cipher;
    EH_TRY(fill_random(key.key.data(), key.key.size()));
    EH_TRY(wrap(key, wrapping));
    keys.push_back(std::move(key));
    return {};
  }

  void sort() { std::ranges::sort(keys, {}, &DataKey::id); }
};

Keyring::Keyring() : state_(std::make_unique<State>()) {}
Keyring::Keyring(Keyring&&) noexcept = default;
Keyring& Keyring::operator=(Keyring&&) noexcept = default;
Keyring::~Keyring() = default;

Result<Keyring> Keyring::open(const std::vector<std::string>& stored,
                              const std::vector<WrappingKey>& keys, Cipher cipher) {
  Keyring ring;
  State& s = *ring.state_;
  if (stored.size() > kMaxDataKeys)
    return fail(ErrorCode::kCorrupt, "the buffer holds {} data keys; more than {} is damage",
                stored.size(), kMaxDataKeys);
  for (const std::string& wrapped : stored) {
    EH_ASSIGN(DataKey key, unwrap(wrapped, keys));
    s.keys.push_back(std::move(key));
  }
  s.sort();
  if (keys.empty()) return ring;
  const std::string newest = fingerprint_of(keys.front().bytes);
  if (s.keys.empty() || s.keys.back().wrapped_by != newest) {
    EH_TRY(s.make_key(cipher, keys.front()));
    log::info("buffer: made data key {:x}, wrapped by {} ({}); new blocks are encrypted with it",
              s.keys.back().id, keys.front().name, fingerprint(keys.front()));
  }
  for (DataKey& key : s.keys)
    if (key.wrapped_by != newest) EH_TRY(s.wrap(key, keys.front()));
  s.current = s.keys.back().id;
  return ring;
}

Result<Keyring> Keyring::open_whole(std::vector<std::string>& stored,
                                    const std::vector<WrappingKey>& keys) {
  std::erase_if(stored, [&](const std::string& wrapped) {
    const auto key = unwrap(wrapped, keys);
    return !key && key.error().code == ErrorCode::kCorrupt;
  });
  return open(stored, keys);
}

Keyring Keyring::open_available(const std::vector<std::string>& stored,
                                const std::vector<WrappingKey>& keys) {
  Keyring ring;
  for (const std::string& wrapped : stored) {
    if (ring.state_->keys.size() == kMaxDataKeys) break;
    if (auto key = unwrap(wrapped, keys)) ring.state_->keys.push_back(std::move(*key));
  }
  ring.state_->sort();
  return ring;
}

bool Keyring::encrypts() const { return state_->current != 0; }
std::uint64_t Keyring::current() const { return state_->current; }
bool Keyring::has(std::uint64_t id) const { return state_->find(id) != nullptr; }
const std::vector<WrappedKey>& Keyring::to_write() const { return state_->to_write; }

Status Keyring::seal(std::uint64_t key, std::string_view associated, char* data, std::size_t size,
                     Nonce& nonce, Tag& tag) {
  const DataKey* data_key = state_->find(key);
  if (data_key == nullptr)
    return fail(ErrorCode::kAuth, "there is no data key {:x} to encrypt with", key);
  if (size > INT_MAX || associated.size() > INT_MAX)
    return fail(ErrorCode::kInvalid, "{} bytes are too many to encrypt at once", size);
  EH_ASSIGN(nonce, state_->next_nonce());
  if (!encrypt(state_->context.get(), data_key->cipher, data_key->key, nonce, associated, data,
               size, tag))
    return fail(ErrorCode::kIo, "encrypting {} bytes with data key {:x} failed", size, key);
  return {};
}

Status Keyring::open(std::uint64_t key, std::string_view associated, char* data, std::size_t size,
                     const Nonce& nonce, const Tag& tag) const {
  const DataKey* data_key = state_->find(key);
  if (data_key == nullptr)
    return fail(
        ErrorCode::kAuth,
        "encrypted with data key {:x}, which is not open; the buffer's keys were lost, or the "
        "wrapping key that it needs is not among buffer.encryption_keys",
        key);
  if (size > INT_MAX || associated.size() > INT_MAX)
    return fail(ErrorCode::kCorrupt, "{} encrypted bytes are more than are ever written", size);
  if (!decrypt(thread_context(), data_key->cipher, data_key->key, nonce, associated, data, size,
               tag))
    return fail(ErrorCode::kCorrupt, "encrypted bytes fail their tag (data key {:x})", key);
  return {};
}

Result<std::string> Keyring::seal_value(std::string_view associated, std::string_view plain) {
  std::string out;
  if (!encrypts()) {
    out.reserve(plain.size() + 5);
    out.push_back(0);
    put_le(out, crc32c(crc32c(0, associated), plain));
    return out.append(plain);
  }
  Nonce nonce{};
  Tag tag{};
  std::string data(plain);
  EH_TRY(seal(current(), associated, data.data(), data.size(), nonce, tag));
  put_le(out, std::uint8_t{1});
  put_le(out, current());
  out.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  out.append(reinterpret_cast<const char*>(tag.data()), tag.size());
  return out += data;
}

Result<std::string> Keyring::open_value(std::string_view associated,
                                        std::string_view stored) const {
  ByteReader in(stored);
  const auto form = in.le<std::uint8_t>();
  if (in.ok() && form == 0) {
    const auto crc = in.le<std::uint32_t>();
    if (!in.ok() || crc != crc32c(crc32c(0, associated), in.rest()))
      return fail(ErrorCode::kCorrupt, "a stored value fails its checksum");
    return std::string(in.rest());
  }
  if (form != 1) return fail(ErrorCode::kCorrupt, "a stored value is neither plain nor encrypted");
  const auto id = in.le<std::uint64_t>();
  Nonce nonce{};
  Tag tag{};
  std::ranges::copy(in.take(nonce.size()), nonce.begin());
  std::ranges::copy(in.take(tag.size()), tag.begin());
  if (!in.ok()) return fail(ErrorCode::kCorrupt, "an encrypted value is cut short");
  std::string data(in.rest());
  EH_TRY(open(id, associated, data.data(), data.size(), nonce, tag));
  return data;
}

}  // namespace edgehose
