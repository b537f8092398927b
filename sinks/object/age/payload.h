// What encryptor and decryptor share of the payload: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár)
// with ChaCha20-Poly1305.
//
//   16 random bytes | chunk...    chunk: up to 64 KiB of plaintext, its tag of 16 bytes
//
// All chunks but the last are full; the last is empty only where the plaintext is. The key is
// HKDF(file key, salt = the 16 bytes, "payload"); a chunk's nonce is its number, 11 bytes
// big-endian, and one byte that is 1 for the last.
#pragma once

#include <cstdint>

#include "sinks/object/age/primitives.h"
#include "sinks/object/crypto/sealing_stream.h"

namespace edgehose::age {

constexpr std::size_t kChunkBytes = SealingStream::kChunkBytes;
constexpr std::size_t kSealedChunkBytes = kChunkBytes + Aead::kTagBytes;
constexpr std::size_t kPayloadNonceBytes = 16;

// 2^64 chunks are never reached, so the counter fills 8 of its 11 bytes.
inline Aead::Nonce chunk_nonce(std::uint64_t number, bool last) {
  Aead::Nonce nonce{};
  for (unsigned i = 0; i < 8; ++i) nonce[10 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

inline Result<Aead> payload_aead(const FileKey& file_key, std::string_view nonce) {
  EH_ASSIGN(const Key key, hkdf_sha256(file_key.view(), nonce, "payload"));
  return Aead::make(key);
}

}  // namespace edgehose::age
