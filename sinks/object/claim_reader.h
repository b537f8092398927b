// ClaimReader: the blocks of a claim, one after the other, and the account of what is missing. A
// gap in the sequence numbers, a block that fails its check and a block that is gone between two
// calls all end up there.
//
// Threading: one thread at a time. Every call of the Store is complete in itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "buffer/store.h"
#include "sinks/object/object_encoder.h"

struct ZSTD_DCtx_s;

namespace edgehose {

// Records [begin, end) of a block.
struct BlockPart {
  BlockInfo info;
  std::uint32_t begin = 0, end = 0;
  bool to_end() const { return end == info.records; }
  bool whole() const { return begin == 0 && to_end(); }
};

class ClaimReader {
 public:
  ClaimReader(Store& store, const Claim& claim, ObjectSummary& summary);

  // The next part of the claim; none at its end.
  Result<std::optional<BlockPart>> next();

  // The part's block. None where it is damaged or gone: its records are noted as missing.
  Result<std::optional<StoredBlock>> read(const BlockPart& part);
  Result<std::optional<DecodedBlock>> read_decoded(const BlockPart& part);
  // The lines of a block that was read; none as above.
  Result<std::optional<std::string>> bodies(const BlockPart& part, const StoredBlock& block);

  void encoded(const BlockPart& part, std::uint64_t raw_bytes);
  void missing(const BlockPart& part);

 private:
  struct FreeDecoder {
    void operator()(ZSTD_DCtx_s* decoder) const;
  };

  void note_gap(SourceId source, Sequence first, Sequence end);
  void note_gap_before(const BlockPart& part);
  template <class T>
  Result<std::optional<T>> unless_lost(Result<T> block, const BlockPart& part);

  Store& store_;
  ObjectSummary& summary_;
  const LaneKey lane_;
  const Position end_;
  Position at_;
  Sequence expected_;  // the next sequence, where the lane has one source
  const Sequence last_;
  bool ended_ = false;
  std::unique_ptr<ZSTD_DCtx_s, FreeDecoder> decoder_;  // made when a block is first decompressed
};

}  // namespace edgehose
