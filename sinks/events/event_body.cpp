#include "sinks/events/event_body.h"

#include <algorithm>

#include "agent/base/text.h"
#include "sinks/object/letter_renderer.h"

namespace edgehose {
namespace {

constexpr std::size_t kMaxFilePaths = 1024;  // remembered per body

// Of `missing`, what lies in one of `left`.
std::vector<MissingRecords> within(const std::vector<MissingRecords>& missing,
                                   const std::vector<SequenceRange>& left) {
  std::vector<MissingRecords> both;
  for (const MissingRecords& gap : missing)
    for (const SequenceRange& range : left) {
      const Sequence first = std::max(gap.first, range.first);
      const Sequence last = std::min(gap.last, range.last);
      if (first <= last) both.push_back({gap.source, first, last});
    }
  return both;
}

// What was refused by its size before (Sink::size_limit is the half of that) is not sent again.
std::uint64_t within_known(std::uint64_t limit, const Batch& batch) {
  if (!batch.size_limit) return limit;
  return std::min(limit, kLongestBodyFactor * *batch.size_limit - 1);
}

}  // namespace

EventBody::EventBody(Store& store, Batch batch, MakeWriter make_writer, std::uint64_t limit)
    : store_(store),
      batch_(std::move(batch)),
      make_writer_(std::move(make_writer)),
      limit_(within_known(limit, batch_)),
      paths_(store, kMaxFilePaths) {
  rewind();
}

void EventBody::rewind() {
  *summary_ = {};
  sent_.clear();
  left_at_ = 0;
  ended_ = false;
  writer_ = make_writer_(batch_);
  blocks_ = std::make_unique<ClaimReader>(store_, batch_.claim, *summary_);
}

Result<bool> EventBody::more(std::string& out) {
  if (ended_) return false;
  if (!batch_.claim.replay()) return more_of_blocks(out);
  EH_TRY(append_letters(out));
  end();
  return false;
}

Result<bool> EventBody::more_of_blocks(std::string& out) {
  EH_ASSIGN(const auto part, blocks_->next());
  if (part) {
    const Sequence first = part->info.first + part->begin;
    if (any_left(first, part->info.first + part->end)) EH_TRY(append_block(*part, out));
    return true;
  }
  end();
  return false;
}

Status EventBody::append_block(const BlockPart& part, std::string& out) {
  EH_ASSIGN(const auto block, blocks_->read_decoded(part));
  if (!block) return {};
  RecordReader records(*block);
  Record record;
  std::uint32_t at = 0;
  for (; at < part.end && records.next(record); ++at) {
    if (at < part.begin || !is_left(record.sequence)) continue;
    EH_TRY(append(record, out));
  }
  if (at == part.end) return {};
  BlockPart rest = part;  // the index is malformed from here on
  rest.begin = std::max(at, part.begin);
  blocks_->missing(rest);
  return {};
}

// All of them: a replay is 1 MiB at most, or a single larger record. Where none is there any more
// (purged meanwhile) nothing is to be sent.
Status EventBody::append_letters(std::string& out) {
  for (const std::uint64_t id : batch_.claim.letters) {
    const auto letter = store_.dead_letter(id);
    if (!letter && letter.error().code != ErrorCode::kCorrupt)
      return tl::unexpected(letter.error());
    if (!letter || !*letter) {
      ++summary_->missing_records;
      continue;
    }
    if (is_left((*letter)->sequence)) EH_TRY(append(record_of(**letter), out));
  }
  return {};
}

Status EventBody::append(const Record& record, std::string& out) {
  EH_ASSIGN(const std::string_view file, paths_.of(record.file));
  const std::size_t before = out.size();
  writer_->append(record, file, out);
  if (out.size() > limit_ && !sent_.empty())
    return fail(ErrorCode::kFull, "{} is more than {} as it would be sent", batch_.claim.key,
                format_size(limit_));
  summary_->object_bytes += out.size() - before;
  summary_->encoded += Counter{1, record.body.size() + 1};
  if (out.size() == before) {
    ++summary_->omitted_records;
    return {};
  }
  if (!sent_.empty() && sent_.back().last + 1 == record.sequence)
    sent_.back().last = record.sequence;
  else
    sent_.push_back({record.sequence, record.sequence});
  return {};
}

// Sequences ascend from call to call.
bool EventBody::is_left(Sequence sequence) {
  const auto& left = batch_.left;
  if (left.empty()) return true;
  while (left_at_ < left.size() && left[left_at_].last < sequence) ++left_at_;
  return left_at_ < left.size() && left[left_at_].first <= sequence;
}

bool EventBody::any_left(Sequence first, Sequence end) const {
  const auto& left = batch_.left;
  return left.empty() || std::ranges::any_of(left, [&](const SequenceRange& range) {
           return range.first < end && first <= range.last;
         });
}

// What is not left is not missing either: the service has told of it.
void EventBody::end() {
  ended_ = true;
  summary_->complete = true;
  if (batch_.left.empty() || batch_.claim.replay()) return;
  summary_->missing = within(summary_->missing, batch_.left);
  summary_->missing_records = 0;
  for (const MissingRecords& gap : summary_->missing)
    summary_->missing_records += gap.last - gap.first + 1;
}

Result<std::unique_ptr<ByteStream>> EventBody::open() {
  rewind();
  std::string bytes;
  for (bool again = true; again;) {
    EH_ASSIGN(again, more(bytes));
  }
  return body_of(std::move(bytes))->open();
}

OpenBody event_bodies(Store& store, MakeWriter make_writer, std::uint64_t limit) {
  return [&store, make_writer = std::move(make_writer),
          limit](const Batch& batch) -> Result<std::shared_ptr<ObjectBody>> {
    return std::make_shared<EventBody>(store, batch, make_writer, limit);
  };
}

}  // namespace edgehose
