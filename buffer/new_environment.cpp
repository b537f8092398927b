#include "buffer/new_environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "buffer/block_header.h"
#include "buffer/copies.h"
#include "buffer/device.h"
#include "buffer/keyspace.h"
#include "buffer/lmdb.h"

namespace edgehose {
namespace {

constexpr std::size_t kBatchBlocks = 16384;
constexpr std::uint64_t kDiskKept = 16ull << 20;

// In the new file, its key and a page's slack included.
std::uint64_t reference_space(const BlockSummary& block) {
  return block.head + kReferenceBytes + 64;
}

class Builder {
 public:
  Builder(const NewEnvironment& input, Rebuild& rebuild, const Keyring& keys)
      : path_(input.path),
        files_(input.files),
        options_(input.options),
        rebuild_(rebuild),
        keys_(keys) {
    done_.salvage = input.salvage;
  }

  Result<Referred> run(std::vector<BlockSummary> blocks) {
    ::unlink(path_.c_str());
    EH_TRY(lmdb::Environment::create(path_, [](lmdb::Transaction& txn) -> Status {
      return txn.put(keyspace::format_key(), keyspace::encode_format(keyspace::kFormat));
    }));
    // References need room also where the limit was lowered below what is held.
    std::uint64_t references = 0;
    for (const BlockSummary& block : blocks) references += reference_space(block);
    EH_ASSIGN(lmdb::Environment env,
              lmdb::Environment::open(path_,
                                      std::max(lmdb::map_size_for(options_.max_size),
                                               lmdb::map_size_for_file(2 * references)),
                                      false));
    EH_TRY(fit(blocks, env));
    EH_TRY(refer_to(blocks, env));
    EH_TRY(put_small_state(env));
    write_copies_of(env);
    return std::move(done_);
  }

 private:
  // Room for references without going below the disk's floor; where that is reached already, what
  // the damaged file had set aside for such a time.
  Result<std::uint64_t> room_for_references() const {
    std::uint64_t reserve = 0;
    if (const auto fd = open_file(files_.back().path, O_RDWR)) {
      struct stat st {};
      if (::fstat(fd->get(), &st) == 0 && ::ftruncate(fd->get(), st.st_size) == 0)
        reserve = std::min<std::uint64_t>(options_.reserve, kDiskKept);
    }
    EH_ASSIGN(const DiskSpace disk, disk_space(options_.directory));
    if (disk.size == 0)
      return UINT64_MAX;  // a file system that does not tell (ramfs, some of FUSE)
    const std::uint64_t floor = disk.size / 100 * options_.free_disk_percent;
    const std::uint64_t above = disk.free - std::min(disk.free, floor);
    return std::max(above, std::min(reserve, disk.free / 2));
  }

  // Leaves out the oldest where not all of their references fit, or they lie in too many files.
  Status fit(std::vector<BlockSummary>& blocks, const lmdb::Environment& env) {
    EH_ASSIGN(const std::uint64_t disk, room_for_references());
    const std::uint64_t room = std::min(env.map_size() / 2, disk);
    if (files_.size() > kMaxArchives)
      std::erase_if(blocks, [&](const BlockSummary& block) {
        const bool out = block.archive < files_[files_.size() - kMaxArchives].id;
        if (out) leave_out(block);
        return out;
      });
    std::uint64_t used = 0;
    std::size_t first = blocks.size();
    while (first > 0 && used + reference_space(blocks[first - 1]) <= room)
      used += reference_space(blocks[--first]);
    for (std::size_t i = 0; i < first; ++i) leave_out(blocks[i]);
    blocks.erase(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(first));
    return {};
  }

  void leave_out(const BlockSummary& block) {
    ++done_.left_out;
    rebuild_.leave_out(block);
  }

  Status put_small_state(lmdb::Environment& env) {
    EH_ASSIGN(ControlEntries entries, rebuild_.finish(done_.losses));
    done_.salvage.salvaged_records += done_.records;
    done_.salvage.lost_records += done_.losses.corrupt.records + done_.losses.left_out.records;
    entries[keyspace::salvage_key()] = keyspace::encode_salvage(done_.salvage);
    EH_ASSIGN(entries[keyspace::format_key()], format_of(entries));
    EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
    for (const auto& [key, value] : entries) EH_TRY(txn.put(key, value));
    for (const WrappedKey& key : keys_.to_write())
      EH_TRY(txn.put(keyspace::data_key_key(key.id), key.bytes));
    return txn.commit();
  }

  void write_copies_of(const lmdb::Environment& env) const {
    const auto txn = env.begin_read();
    const Status written =
        txn ? write_copies(options_.directory, *txn) : tl::unexpected(txn.error());
    if (!written)
      log::warn("the buffer's copies could not be written: {}", written.error().message);
  }

  Result<std::string> format_of(const ControlEntries& entries) const {
    EH_ASSIGN(keyspace::FormatVersion format,
              keyspace::decode_format(entries.at(keyspace::format_key())));
    format = keyspace::without_references(format);
    if (!done_.salvage.archives.empty())
      format.min_reader = std::max(format.min_reader, keyspace::kFollowsReferences);
    return keyspace::encode_format(format);
  }

  Status refer_to(const std::vector<BlockSummary>& blocks, lmdb::Environment& env) {
    std::map<std::uint32_t, FileDescriptor> open;
    for (const ArchiveFile& file : files_) {
      EH_ASSIGN(open[file.id], open_file(file.path, O_RDONLY));
    }
    options_.progress->begin("listing what was salvaged");
    for (std::size_t i = 0; i < blocks.size();) {
      EH_ASSIGN(lmdb::Transaction txn, env.begin_write());
      for (std::size_t n = 0; i < blocks.size() && n < kBatchBlocks; ++i, ++n)
        EH_TRY(refer_to(blocks[i], open.at(blocks[i].archive).get(), txn));
      EH_TRY(txn.commit());
      options_.progress->advance(0);
    }
    return {};
  }

  Status refer_to(const BlockSummary& block, int file, lmdb::Transaction& txn) {
    const auto head = read_head(file, block);
    const auto header = head ? decode_header(*head) : tl::unexpected(head.error());
    if (!header) return {};  // not there any more: counted with what is lost
    EH_TRY(txn.append(keyspace::block_key(header->number, header->source),
                      encode_reference(*head, {block.archive, block.offset})));
    rebuild_.keep(*header, [&] { return read_found(file, block); });
    ++done_.blocks;
    done_.records += header->records;
    if (done_.salvage.archives.empty() || done_.salvage.archives.back().id != block.archive)
      note_archive(block.archive);
    const auto archive =
        std::ranges::find(done_.salvage.archives, block.archive, &ArchiveState::id);
    ++archive->blocks;
    archive->bytes += pages_of(block.offset, block.size).length;
    return {};
  }

  void note_archive(std::uint32_t id) {
    auto& all = done_.salvage.archives;
    const auto at = std::ranges::lower_bound(all, id, {}, &ArchiveState::id);
    if (at == all.end() || at->id != id) all.insert(at, {id, 0, 0});
  }

  const std::string& path_;
  const std::vector<ArchiveFile>& files_;
  const StoreOptions& options_;
  Rebuild& rebuild_;
  const Keyring& keys_;
  Referred done_;
};

}  // namespace

Result<Referred> make_environment(const NewEnvironment& input, std::vector<BlockSummary> blocks,
                                  Rebuild& rebuild, const Keyring& keys) {
  return Builder(input, rebuild, keys).run(std::move(blocks));
}

}  // namespace edgehose
