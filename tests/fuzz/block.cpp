// A stored block, and the columns of one: what is not one is told, nothing outside is read.
#include "buffer/block_header.h"
#include "buffer/codec.h"
#include "tests/fuzz/fuzz.h"

namespace edgehose::fuzz {
namespace {

enum Mode : std::uint8_t { kStored, kColumns, kModes };

void read_records(const DecodedBlock& block) {
  RecordReader reader(block);
  Record record;
  std::uint64_t records = 0;
  while (reader.next(record)) {
    ++records;
    require(
        record.body.data() >= block.bodies.data() &&
            record.body.data() + record.body.size() <= block.bodies.data() + block.bodies.size(),
        "a body lies outside of its column");
  }
  require(records <= block.header.records, "more records than there are");
  require(!reader.ok() || records == block.header.records, "fewer records, and all is well");
}

std::string stored_block(unsigned records, bool slow) {
  BlockBuilder builder(SourceId{3});
  for (unsigned i = 0; i < records; ++i) {
    NewRecord record;
    const std::string body = fmt::format("line {} of a block", i);
    record.body = body;
    record.time = WallTime(1'700'000'000'000'000'000 + i * 1000);
    record.file = FileId{1 + i / 4};
    record.begin = i * 30;
    record.end = record.begin + body.size() + 1;
    record.truncated = i % 5 == 4;
    if (i % 3 == 0) record.attributes = {{"unit", "nginx"}, {"level", "6"}};
    builder.append(record);
  }
  RawBlock block = builder.take();
  block.slow = slow;
  BlockHeader header;
  header.number = BlockNumber{7};
  header.first_sequence = Sequence{100};
  BlockEncoder encoder(1);
  return std::string(encoder.encode(block, header, nullptr).value());
}

}  // namespace

void one(std::string_view bytes) {
  Input input(bytes);
  if (input.byte() % kModes == kStored) {
    const auto stored = open_block(input.rest(), nullptr);
    if (!stored) return;
    BlockDecoder decoder;
    if (const auto block = decoder.decode(*stored)) read_records(*block);
    return;
  }
  // Past the check: any index over any bodies.
  DecodedBlock block;
  block.header.records = input.byte();
  block.header.first_sequence = Sequence{1};
  for (unsigned n = input.byte() % 4; n > 0; --n) {
    const std::uint64_t begin = input.byte();
    block.header.extents.push_back({FileId{n}, input.byte(), begin, begin + input.byte()});
  }
  block.index = input.take(input.byte());
  block.bodies = input.rest();
  read_records(block);
}

std::vector<std::string> seeds() {
  BlockDecoder decoder;
  const std::string stored = stored_block(12, true);
  const DecodedBlock block = decoder.decode(open_block(stored, nullptr).value()).value();
  std::string columns{kColumns, static_cast<char>(block.header.records), 0};
  columns += static_cast<char>(block.index.size());
  return {std::string(1, kStored) + stored, std::string(1, kStored) + stored_block(1, false),
          columns + block.index + block.bodies};
}

}  // namespace edgehose::fuzz
