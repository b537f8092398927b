// What a buffer has once, and the keys of its blocks.
#include "buffer/keyspace.h"

#include "buffer/keyspace_values.h"

namespace edgehose::keyspace {

std::string epoch_key() { return std::string("\0\1", 2); }

std::string encode_epoch(const Epoch& epoch) {
  std::string out;
  put_bytes(out, epoch);
  return checksummed(epoch_key(), out);
}

Result<Epoch> decode_epoch(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(epoch_key(), value, "epoch"));
  ByteReader in(body);
  Epoch epoch{};
  get_bytes(in, epoch);
  return finish(in, epoch, "epoch");
}

std::string machine_key() { return std::string("\0\3", 2); }

std::string encode_machine(const Machine& machine) {
  std::string out;
  for (const auto& [part, hash] : machine) {
    put_le(out, static_cast<std::uint8_t>(part));
    put_bytes(out, hash);
  }
  return checksummed(machine_key(), out);
}

Result<Machine> decode_machine(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(machine_key(), value, "machine fingerprint"));
  Machine machine;
  constexpr std::size_t kPart = 1 + sizeof(Machine::mapped_type);
  ByteReader in(body);
  while (in.rest().size() >= kPart) {
    const auto part = static_cast<MachinePart>(in.le<std::uint8_t>());
    get_bytes(in, machine[part]);
  }
  return finish(in, machine, "machine fingerprint");
}

std::string salvage_key() { return std::string("\0\4", 2); }

std::string encode_salvage(const SalvageState& salvage) {
  std::string out;
  put_varint(out, salvage.salvaged_records);
  put_varint(out, salvage.lost_records);
  put_varint(out, salvage.archives.size());
  for (const ArchiveState& archive : salvage.archives) {
    put_varint(out, archive.id);
    put_varint(out, archive.blocks);
    put_varint(out, archive.bytes);
  }
  return checksummed(salvage_key(), out);
}

Result<SalvageState> decode_salvage(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(salvage_key(), value, "list of salvaged files"));
  ByteReader in(body);
  SalvageState salvage;
  salvage.salvaged_records = in.varint();
  salvage.lost_records = in.varint();
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    ArchiveState archive;
    archive.id = static_cast<std::uint32_t>(in.varint());
    archive.blocks = in.varint();
    archive.bytes = in.varint();
    salvage.archives.push_back(archive);
  }
  return finish(in, std::move(salvage), "list of salvaged files");
}

std::string data_key_key(std::uint64_t id) { return numbered(kDataKeyPrefix, id); }

std::string block_key(BlockNumber number, SourceId source) {
  std::string key = block_key(number);
  put_be(key, source.value);
  return key;
}

std::string block_key(BlockNumber from) { return numbered(kBlockPrefix, from.value); }

std::optional<BlockKey> parse_block_key(std::string_view key) {
  if (!key.starts_with(kBlockPrefix) || key.size() != kBlockPrefix.size() + 12) return {};
  ByteReader in(key.substr(kBlockPrefix.size()));
  BlockKey parsed;
  parsed.number = BlockNumber(in.be<std::uint64_t>());
  parsed.source = SourceId(in.be<std::uint32_t>());
  return parsed;
}

std::string counters_key() {
  return "\x20"
         "N";
}

std::string encode_counters(const Counters& c, const FormatVersion& format) {
  std::string out;
  put_varint(out, c.next_block.value);
  put_varint(out, c.next_claim.value);
  put_varint(out, c.next_dead_letter);
  put_varint(out, c.next_source.value);
  put_varint(out, c.next_sink.value);
  put_varint(out, c.next_file.value);
  if (format.allows(Feature::kFirstSequences)) put_varint(out, c.first_sequence.value);
  return checksummed(counters_key(), out);
}

Result<Counters> decode_counters(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(counters_key(), value, "counters"));
  ByteReader in(body);
  Counters c;
  c.next_block = BlockNumber(in.varint());
  c.next_claim = ClaimId(in.varint());
  c.next_dead_letter = in.varint();
  c.next_source = SourceId(static_cast<std::uint32_t>(in.varint()));
  c.next_sink = SinkId(static_cast<std::uint32_t>(in.varint()));
  c.next_file = FileId(static_cast<std::uint32_t>(in.varint()));
  if (!in.at_end()) c.first_sequence = Sequence(in.varint());
  return finish(in, c, "counters");
}

std::string clean_mark_key() {
  return "\x20"
         "M";
}

std::string encode_clean_mark(BlockNumber last) {
  std::string out;
  put_varint(out, last.value);
  return checksummed(clean_mark_key(), out);
}

Result<BlockNumber> decode_clean_mark(std::string_view value) {
  EH_ASSIGN(const std::string_view body, checked(clean_mark_key(), value, "clean mark"));
  ByteReader in(body);
  const BlockNumber last(in.varint());
  return finish(in, last, "clean mark");
}

}  // namespace edgehose::keyspace
