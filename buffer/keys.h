// Encryption at rest: the data keys of one buffer, and sealing and opening with them.
//
// A data key (32 random bytes) encrypts blocks and positions. It lies in the buffer wrapped, that
// is, encrypted by a wrapping key of the config (encryption_keys), so that a wrapping key is
// exchanged without touching a block: put the new one first, start once, take the old one out.
//
// Ciphers: AES-256-GCM where the CPU has instructions for it, else ChaCha20-Poly1305 (RFC 8439);
// the choice is stored with the data key. A nonce is 64 random bits, drawn when the keyring is
// opened, and a 32-bit counter: nothing in it comes from the data, since a commit that is rolled
// back repeats its sequence numbers.
//
// Wrapped form, little-endian; the bytes before the nonce are the associated data:
//   u8 version = 1 | u8 cipher | u64 id | 8 bytes fingerprint of the wrapping key
//   | 12 bytes nonce | 32 bytes AES-256-GCM ciphertext | 16 bytes tag
//
// Threading: seal() and seal_value() by one thread; everything else, being const, by any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "buffer/store.h"

namespace edgehose {

using Nonce = std::array<std::uint8_t, 12>;
using Tag = std::array<std::uint8_t, 16>;

// Stored with each data key: never renumber.
enum class Cipher : std::uint8_t { kAes256Gcm = 1, kChaCha20Poly1305 = 2 };

// The faster one on this CPU.
Cipher preferred_cipher();

// A key file's content: 32 raw bytes, 64 hexadecimal digits, or base64 of 32 bytes; white space
// around the text forms is ignored. `name` is for messages; the key never is in one.
Result<WrappingKey> parse_wrapping_key(std::string_view name, std::string_view content);

// A new random key as parse_wrapping_key() reads it: 64 hexadecimal digits and a line feed.
Result<std::string> make_wrapping_key();

// 8 bytes that tell wrapping keys apart without giving them away, as hexadecimal digits.
std::string fingerprint(const WrappingKey& key);

struct WrappedKey {
  std::uint64_t id = 0;
  std::string bytes;
};

class Keyring {
 public:
  // Nothing is encrypted, nothing can be opened.
  Keyring();
  Keyring(Keyring&&) noexcept;
  Keyring& operator=(Keyring&&) noexcept;
  ~Keyring();

  // For a writer. `stored`: the wrapped keys found in the buffer, any order; `keys`: the config's,
  // newest first. Makes a data key where there is none, or where the newest wrapping key is not the
  // one that wraps the current data key; rewraps the others under the newest. What the buffer must
  // hold from now on is in to_write(): commit it before the first seal().
  // kAuth where a stored key cannot be opened (also: keys taken out of the config), kCorrupt where
  // one is damaged. Nothing is lost by either: the buffer is as it was.
  static Result<Keyring> open(const std::vector<std::string>& stored,
                              const std::vector<WrappingKey>& keys,
                              Cipher cipher = preferred_cipher());

  // For salvage: as open(), and leaves out of `stored` those that are damaged.
  static Result<Keyring> open_whole(std::vector<std::string>& stored,
                                    const std::vector<WrappingKey>& keys);

  // For inspection: opens what it can, makes and rewraps nothing, never fails.
  static Keyring open_available(const std::vector<std::string>& stored,
                                const std::vector<WrappingKey>& keys);

  // New blocks are to be sealed, with current(). False: current() is 0.
  bool encrypts() const;
  std::uint64_t current() const;
  bool has(std::uint64_t id) const;
  const std::vector<WrappedKey>& to_write() const;

  // Encrypts in place under data key `key`; gives the nonce it drew and the tag. The nonce cannot
  // be in `associated`: the cipher authenticates it anyway.
  Status seal(std::uint64_t key, std::string_view associated, char* data, std::size_t size,
              Nonce& nonce, Tag& tag);

  // Decrypts in place. kCorrupt: the bytes, the tag, the nonce or `associated` are not what was
  // sealed, and `data` is overwritten with zeros; kAuth: the data key is not in this ring.
  Status open(std::uint64_t key, std::string_view associated, char* data, std::size_t size,
              const Nonce& nonce, const Tag& tag) const;

  // Small values (positions, paths, claims). `associated` is the value's key, so that values cannot
  // be exchanged. Without encryption a checksum, over both, is all that is added.
  //   u8 0 | CRC-32C u32 | plain      or      u8 1 | u64 id | nonce | tag | ciphertext
  Result<std::string> seal_value(std::string_view associated, std::string_view plain);
  Result<std::string> open_value(std::string_view associated, std::string_view stored) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edgehose
