#include "buffer/find_blocks.h"

#include <algorithm>
#include <optional>

#include "buffer/keyspace.h"
#include "buffer/listed_blocks.h"
#include "buffer/missing_records.h"

namespace edgehose {
namespace {

// Of a file. A sector that fails may take a card seconds, and there may be many.
constexpr Duration kSearchDeadline = std::chrono::minutes(5);
constexpr std::uint64_t kPage = lmdb::kPageBytes;
constexpr std::uint64_t kNoFileEndsHere = 1ull << 62;

// The pages in which bytes [offset, offset + length) lie.
PageSpan pages_around(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t first = offset / kPage * kPage;
  return {first, (offset + length + kPage - 1) / kPage * kPage - first};
}

// In order, none of them twice.
std::vector<PageSpan> united(std::vector<PageSpan> spans) {
  std::ranges::sort(spans, {}, &PageSpan::first);
  std::vector<PageSpan> out;
  for (const PageSpan& span : spans) {
    if (!out.empty() && span.first <= out.back().first + out.back().length)
      out.back().length = std::max(out.back().length, span.first + span.length - out.back().first);
    else
      out.push_back(span);
  }
  return out;
}

// Where each file is searched; empty: all of them everywhere.
using SearchPlan = std::vector<std::vector<PageSpan>>;

class Finder {
 public:
  explicit Finder(const FindInput& input) : in_(input), damaged_(input.files.back()) {}

  Result<FoundBlocks> run() {
    const bool listed =
        in_.check.complete && std::ranges::all_of(in_.check.blocks, [](const auto& block) {
          return block.second.offset.has_value();
        });
    if (in_.tree != nullptr) {
      EH_TRY(list());
      EH_TRY(search_missing());
    } else {
      EH_TRY(listed ? list() : search());
    }
    return std::move(found_);
  }

 private:
  // Adds blocks that `wanted` takes, and tells of files that came since.
  template <class Wanted>
  Status search(const SearchPlan& plan, Wanted wanted) {
    std::vector<BlockSummary> blocks = std::move(found_.blocks);
    const auto next_file = in_.rebuild.next_file();
    FoundFiles found_files(in_.keys, next_file.value_or(FileId()));
    ScanOptions options;
    options.progress = in_.options.progress.get();
    if (next_file)
      options.visit_entry = [&](std::string_view key, std::string_view value) {
        found_files.add(key, value);
      };
    for (std::size_t i = 0; i < in_.files.size(); ++i) {
      const ArchiveFile& file = in_.files[i];
      if (!plan.empty()) options.where = plan[i];
      const auto take = [&](const FoundBlock& block) {
        BlockSummary summary = summarize(block);
        summary.archive = file.id;
        if (!block.checked)
          ++found_.unreadable;
        else if (!wanted(summary) || in_.rebuild.delivered(summary))
          ++found_.stale;
        else
          blocks.push_back(std::move(summary));
        return blocks.size() < kMaxFoundBlocks;
      };
      EH_ASSIGN(const ScanResult scan,
                scan_blocks(file.path, &in_.keys, in_.clock, in_.clock.now() + kSearchDeadline,
                            take, options));
      found_.damaged += scan.damaged;
      found_.complete = found_.complete && scan.complete;
    }
    EH_TRY(in_.rebuild.add_files(found_files));
    Choice choice = choose_blocks(std::move(blocks));
    found_.stale += choice.duplicates + choice.aborted;
    found_.blocks = std::move(choice.blocks);
    return {};
  }

  Status search() {
    return search({}, [&](const BlockSummary& block) { return is_live(block); });
  }

  // What an earlier salvage left in another file is there under a reference, which has another
  // size.
  bool is_live(const BlockSummary& block) const {
    if (!in_.check.complete) return true;
    const auto live = in_.check.blocks.find(block.number);
    if (live == in_.check.blocks.end() || live->second.source != block.source) return false;
    return live->second.size == block.size || block.archive != damaged_.id;
  }

  Status list() {
    EH_ASSIGN(auto blocks, read_listed({in_.files, in_.check.blocks, in_.keys, in_.clock,
                                        in_.check_until, *in_.options.progress}));
    auto live = in_.check.blocks.begin();
    for (std::optional<BlockSummary>& block : blocks) {
      if (!block)
        bad_.insert(*live);
      else if (!block->checked)
        ++found_.unreadable;
      else if (in_.rebuild.delivered(*block))
        ++found_.stale;
      else
        found_.blocks.push_back(*std::move(block));
      ++live;
    }
    found_.damaged += bad_.size();
    return {};
  }

  // What the tree does not list any more, or what is not where it should be: in all pages but those
  // of blocks that it lists.
  Status search_missing() {
    const RemainingTree& tree = *in_.tree;
    if (tree.certain && tree.lost.empty() && bad_.empty()) return {};
    std::vector<NumberRange> lost = tree.lost;
    for (const auto& [number, live] : bad_) lost.push_back({number, number});
    const MissingRecords missing(found_.blocks, std::move(lost));
    const auto counters = keyspace::decode_counters(in_.check.entries.at(keyspace::counters_key()));
    const BlockNumber next = counters ? counters->next_block : BlockNumber(1);
    return search(other_pages(), [&](const BlockSummary& block) {
      // Of a commit that never came to be, or, where that is not known, of the newest.
      if (block.number >= next) return !tree.certain;
      const auto live = in_.check.blocks.find(block.number);
      return in_.check.entries.contains(keyspace::source_key(block.source)) &&
             (live == in_.check.blocks.end() || live->second.source == block.source) &&
             missing.hold(block);
    });
  }

  // Of each file.
  SearchPlan other_pages() const {
    SearchPlan plan;
    for (const ArchiveFile& file : in_.files) {
      std::vector<PageSpan> taken;
      for (const BlockSummary& block : found_.blocks)
        if (block.archive == file.id) taken.push_back(pages_of(block.offset, block.size));
      plan.push_back(gaps_between(std::move(taken), kNoFileEndsHere));
    }
    std::vector<PageSpan> others = in_.tree->others;
    for (const auto& [number, live] : bad_) others.push_back(pages_around(*live.offset, live.size));
    plan.back() = united(std::move(others));
    return plan;
  }

  const FindInput& in_;
  const ArchiveFile& damaged_;
  FoundBlocks found_;
  std::map<BlockNumber, LiveBlock> bad_;  // listed, and not there
};

}  // namespace

Result<FoundBlocks> find_blocks(const FindInput& input) { return Finder(input).run(); }

}  // namespace edgehose
