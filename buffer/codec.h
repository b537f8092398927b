// Codec: between a RawBlock and its stored bytes. Each column is a zstd frame of its own, with its
// content size and without a dictionary, so that frames of successive blocks can be concatenated.
// Without encryption the check is a CRC-32C over both frames; with it, the AEAD's tag over both,
// the header its associated data.
//
// Threading: an encoder or decoder belongs to one thread at a time; both keep their zstd context
// and their buffers, so that steady work allocates nothing.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "buffer/block.h"
#include "buffer/store.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace edgehose {

class Keyring;

class BlockEncoder {
 public:
  explicit BlockEncoder(int zstd_level, int slow_level = StoreOptions{}.slow_zstd_level);
  ~BlockEncoder();
  BlockEncoder(const BlockEncoder&) = delete;
  BlockEncoder& operator=(const BlockEncoder&) = delete;

  // Fills what `header` lacks (counts, times, lengths, extents, key, nonce, check) from the block;
  // flags, epoch, number and first sequence are the caller's. The bytes are valid until the next
  // call. `keys` null or without a current key: not encrypted.
  Result<std::string_view> encode(const RawBlock& block, BlockHeader& header, Keyring* keys);

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  using Context = std::unique_ptr<ZSTD_CCtx_s, FreeContext>;
  static Context new_context(int zstd_level);
  char* buffer(std::size_t size);
  Result<std::size_t> compress(ZSTD_CCtx_s* context, std::string_view column, char* out,
                               std::size_t bound);
  void fit_to(std::size_t body_bytes);

  const int level_;
  const int slow_level_;  // for blocks that came slowly
  const Context context_;
  std::unique_ptr<char[]> stored_;
  std::size_t capacity_ = 0;
};

// Checks and opens (decrypts) stored bytes. kCorrupt: they fail their check; kAuth: their key is
// not there.
Result<StoredBlock> open_block(std::string_view stored, const Keyring* keys);

class BlockDecoder {
 public:
  BlockDecoder();
  ~BlockDecoder();
  BlockDecoder(const BlockDecoder&) = delete;
  BlockDecoder& operator=(const BlockDecoder&) = delete;

  // kCorrupt where a frame does not decode to exactly the length that the header says.
  Result<DecodedBlock> decode(const StoredBlock& stored);

 private:
  Status decompress(std::string_view frame, std::size_t raw, BlockNumber number, std::string& out);

  ZSTD_DCtx_s* context_;
};

}  // namespace edgehose
