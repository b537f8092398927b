#include "sinks/object/letter_renderer.h"

#include "sinks/object/record_format.h"

namespace edgehose {
namespace {

constexpr std::size_t kReadyBytes = 64 * 1024;  // rendered before a read returns

struct Letter {
  DeadLetter letter;
  std::string path;  // of its file; empty: not known any more
};

class LetterStream final : public PieceStream {
 public:
  LetterStream(std::vector<Letter> letters, const ObjectRendering& rendering,
               std::string_view source, std::unique_ptr<Compressor> compressor,
               std::shared_ptr<ObjectSummary> summary)
      : letters_(std::move(letters)),
        rendering_(rendering),
        source_(source),
        compressor_(std::move(compressor)),
        summary_(std::move(summary)) {}

 private:
  Status refill() override {
    ready_.clear();
    for (; ready_.size() < kReadyBytes && next_ < letters_.size(); ++next_)
      EH_TRY(add(letters_[next_]));
    if (next_ < letters_.size()) return {};
    ended_ = true;
    return compressor_->end_frame(ready_);
  }

  Status add(const Letter& one) {
    text_.clear();
    if (rendering_.format == ObjectRendering::Format::kNdjson)
      ndjson_.append(record_of(one.letter), {rendering_.agent, source_, one.path}, text_);
    else
      text_.append(one.letter.body).push_back('\n');
    summary_->encoded += one.letter.size();
    return compressor_->write(text_, ready_);
  }

  const std::vector<Letter> letters_;
  const ObjectRendering rendering_;
  const std::string source_;
  std::unique_ptr<Compressor> compressor_;
  std::shared_ptr<ObjectSummary> summary_;
  NdjsonWriter ndjson_;
  std::size_t next_ = 0;
  std::string text_;
};

}  // namespace

Record record_of(const DeadLetter& letter) {
  Record record;
  record.sequence = letter.sequence;
  record.time = letter.time;
  record.body = letter.body;
  record.file = letter.file;
  record.begin = letter.begin;
  record.truncated = letter.truncated;
  record.partial = letter.partial;
  for (const auto& [name, value] : letter.attributes) record.attributes.push_back({name, value});
  return record;
}

Result<std::unique_ptr<ByteStream>> render_letters(Store& store, const Claim& replay,
                                                   const ObjectRendering& rendering,
                                                   std::string_view source,
                                                   std::unique_ptr<Compressor> compressor,
                                                   std::shared_ptr<ObjectSummary> summary) {
  std::vector<Letter> letters;
  for (const std::uint64_t id : replay.letters) {
    auto letter = store.dead_letter(id);
    if (!letter && letter.error().code != ErrorCode::kCorrupt)
      return tl::unexpected(letter.error());
    if (!letter || !*letter) {
      ++summary->missing_records;
      continue;
    }
    Letter one{std::move(**letter), ""};
    if (one.letter.file.value != 0) {
      EH_ASSIGN(const auto file, store.file(one.letter.file));
      if (file) one.path = file->path;
    }
    letters.push_back(std::move(one));
  }
  if (letters.empty())
    return fail(ErrorCode::kNotFound, "nothing of {} is there any more", replay.key);
  return std::make_unique<LetterStream>(std::move(letters), rendering, source,
                                        std::move(compressor), std::move(summary));
}

}  // namespace edgehose
