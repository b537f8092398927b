// edgehose buffer verify: reads everything that the buffer holds and checks it.
#include "agent/base/text.h"
#include "agent/commands/load.h"
#include "agent/commands/table.h"

namespace edgehose {
namespace {

struct Verified {
  std::uint64_t blocks = 0, records = 0, raw = 0, damaged = 0;
};

// Checksum, tag, both columns, and that every record can be taken out.
Status verify_block(Store& store, const BlockInfo& info) {
  EH_ASSIGN(const DecodedBlock block, store.read_decoded(info.number));
  RecordReader reader(block);
  Record record;
  std::uint32_t records = 0;
  while (reader.next(record)) ++records;
  if (!reader.ok()) return fail(ErrorCode::kCorrupt, "its index is malformed");
  if (records != block.header.records)
    return fail(ErrorCode::kCorrupt, "it holds {} records, its header says {}", records, block.header.records);
  return {};
}

Result<Verified> verify_blocks(Store& store) {
  Verified verified;
  for (BlockNumber from{1};;) {
    EH_ASSIGN(const std::optional<BlockInfo> info, store.next_block(SourceId{}, from));
    if (!info) return verified;
    from = info->number + 1;
    const Status good = verify_block(store, *info);
    // Delivered and trimmed, or merged, while we looked.
    if (!good && good.error().code == ErrorCode::kNotFound) continue;
    ++verified.blocks;
    if (!good) {
      ++verified.damaged;
      complain(fmt::format("block {} ({} records): {}", info->number.value, info->records, good.error().message));
      continue;
    }
    verified.records += info->records;
    verified.raw += info->body_raw;
  }
}

int buffer_verify(const Invocation& invocation) {
  const OpenedBuffer opened = open_for_reading(invocation);
  if (opened.store == nullptr) return opened.code;
  const auto verified = verify_blocks(*opened.store);
  if (!verified) return failed(verified.error());
  fmt::print("{} blocks, {} records, {} raw: {}\n", format_count(verified->blocks), format_count(verified->records),
             format_size(verified->raw),
             verified->damaged == 0 ? "all good" : fmt::format("{} damaged", format_count(verified->damaged)));
  return verified->damaged == 0 ? kExitOk : kExitFailed;
}

}  // namespace

Command buffer_verify_command() {
  return {.name = "buffer verify",
          .arguments = "",
          .summary = "reads and checks every block",
          .description =
              "Reads every block of the buffer, checks its checksum (or its seal, where the\n"
              "buffer is encrypted), decompresses it and takes every record out. Tells what is\n"
              "damaged; changes nothing. Works beside a running agent.",
          .options = {},
          .examples = "edgehose buffer verify",
          .exit_codes = "0  all of it is good\n"
                        "1  something is damaged, or it cannot be read\n"
                        "2  the command line or the config is wrong",
          .run = buffer_verify};
}

}  // namespace edgehose
