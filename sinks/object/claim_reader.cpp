#include "sinks/object/claim_reader.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "agent/base/check.h"

namespace edgehose {
namespace {

// LFs, eight bytes at a time.
std::uint64_t count_lines(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kLow = 0x7F * kOnes;
  std::uint64_t count = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t v;
    std::memcpy(&v, text.data() + at, sizeof v);
    v ^= '\n' * kOnes;                                     // a byte is 0 where an LF is
    const std::uint64_t others = ((v & kLow) + kLow) | v;  // top bit set where it is not
    count += ((~others >> 7 & kOnes) * kOnes) >> 56;
  }
  return count + static_cast<std::uint64_t>(std::count(text.begin() + at, text.end(), '\n'));
}

}  // namespace

void ClaimReader::FreeDecoder::operator()(ZSTD_DCtx_s* decoder) const { ZSTD_freeDCtx(decoder); }

ClaimReader::ClaimReader(Store& store, const Claim& claim, ObjectSummary& summary)
    : store_(store),
      summary_(summary),
      lane_(claim.lane),
      end_(claim.end),
      at_(claim.begin),
      expected_(claim.first),
      last_(claim.last) {}

Result<std::optional<BlockPart>> ClaimReader::next() {
  while (!ended_) {
    // A Position may lie at a block's end, or in a claim that holds nothing of its last block.
    const bool more = at_ < end_;
    std::optional<BlockInfo> info;
    if (more) {
      EH_ASSIGN(info, store_.next_block(lane_.source, at_.block));
    }
    const Position found{info ? info->number : BlockNumber(), 0};
    if (!info || found >= end_) break;
    BlockPart part{*info, info->number == at_.block ? at_.record : 0, info->records};
    if (info->number == end_.block) part.end = std::min(part.end, end_.record);
    at_ = Position{info->number + 1, 0};
    if (part.begin >= part.end) continue;
    note_gap_before(part);
    return part;
  }
  if (!ended_ && lane_.source.value != 0) note_gap(lane_.source, expected_, last_ + 1);
  ended_ = true;
  return std::nullopt;
}

void ClaimReader::note_gap_before(const BlockPart& part) {
  if (lane_.source.value == 0) return;
  note_gap(lane_.source, expected_, part.info.first + part.begin);
  expected_ = std::max(expected_, part.info.first + part.end);
}

void ClaimReader::note_gap(SourceId source, Sequence first, Sequence end) {
  if (first >= end) return;
  summary_.missing_records += end - first;
  auto& all = summary_.missing;
  if (!all.empty() && all.back().source == source && all.back().last + 1 == first)
    all.back().last = end + std::uint64_t(-1);
  else
    all.push_back({source, first, end + std::uint64_t(-1)});
}

void ClaimReader::missing(const BlockPart& part) {
  note_gap(part.info.source, part.info.first + part.begin, part.info.first + part.end);
}

void ClaimReader::encoded(const BlockPart& part, std::uint64_t raw_bytes) {
  summary_.encoded += Counter{part.end - part.begin, raw_bytes};
}

template <class T>
Result<std::optional<T>> ClaimReader::unless_lost(Result<T> block, const BlockPart& part) {
  if (block) return std::optional<T>(*std::move(block));
  const ErrorCode code = block.error().code;
  if (code != ErrorCode::kCorrupt && code != ErrorCode::kNotFound)
    return tl::unexpected<Error>(std::move(block).error());
  missing(part);
  return std::nullopt;
}

Result<std::optional<StoredBlock>> ClaimReader::read(const BlockPart& part) {
  return unless_lost(store_.read(part.info.number), part);
}

Result<std::optional<DecodedBlock>> ClaimReader::read_decoded(const BlockPart& part) {
  return unless_lost(store_.read_decoded(part.info.number), part);
}

Result<std::optional<std::string>> ClaimReader::bodies(const BlockPart& part,
                                                       const StoredBlock& block) {
  if (block.header.dictionary != 0) {
    EH_ASSIGN(auto decoded, read_decoded(part));
    if (!decoded) return std::nullopt;
    return std::optional<std::string>(std::move(decoded->bodies));
  }
  // Only the lines: the index stays compressed. The length was checked with the header.
  if (!decoder_) decoder_.reset(ZSTD_createDCtx());
  EH_CHECK(decoder_ != nullptr);
  std::string lines(block.header.body_raw, '\0');
  const std::size_t n = ZSTD_decompressDCtx(decoder_.get(), lines.data(), lines.size(),
                                            block.body_frame.data(), block.body_frame.size());
  if (!ZSTD_isError(n) && n == lines.size() && count_lines(lines) == block.header.records)
    return std::optional<std::string>(std::move(lines));
  missing(part);
  return std::nullopt;
}

}  // namespace edgehose
