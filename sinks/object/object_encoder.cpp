#include "sinks/object/object_encoder.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "sinks/object/claim_reader.h"
#include "sinks/object/compressor.h"
#include "sinks/object/file_paths.h"
#include "sinks/object/letter_renderer.h"
#include "sinks/object/object_encryption.h"
#include "sinks/object/record_format.h"

namespace edgehose {
namespace {

constexpr std::size_t kReadyBytes = 64 * 1024;  // rendered before a read returns
constexpr std::size_t kTextBytes = 64 * 1024;   // of rendered records, before they are compressed
constexpr std::size_t kMaxFilePaths = 4096;     // remembered per stream

// Turns the blocks of a claim into lines or ndjson, compressed; not encrypted.
class Renderer final : public PieceStream {
 public:
  Renderer(Store& store, const Claim& claim, const ObjectRendering& rendering,
           std::string_view source, std::unique_ptr<Compressor> compressor,
           std::shared_ptr<ObjectSummary> summary)
      : store_(store),
        rendering_(rendering),
        source_(source),
        compressor_(std::move(compressor)),
        summary_(std::move(summary)),
        blocks_(store, claim, *summary_),
        paths_(store, kMaxFilePaths) {}

 private:
  bool lines() const { return rendering_.format == ObjectRendering::Format::kLines; }

  Status refill() override {
    ready_.clear();
    while (ready_.size() < kReadyBytes && !ended_) {
      if (wrapping_) {
        EH_TRY(wrap_records());
        continue;
      }
      EH_ASSIGN(const auto part, blocks_.next());
      if (part) {
        EH_TRY(lines() ? add_lines(*part) : begin_ndjson(*part));
        continue;
      }
      ended_ = true;
      EH_TRY(compressor_->end_frame(ready_));
      if (ready_.empty() && !produced_) EH_TRY(compressor_->empty_frame(ready_));
    }
    produced_ |= !ready_.empty();
    return {};
  }

  Status add_lines(const BlockPart& part) {
    EH_ASSIGN(auto block, blocks_.read(part));
    if (!block) return {};
    const bool as_stored = rendering_.compression == Compression::kZstd && part.whole() &&
                           block->header.body_raw >= kBlockFullBytes;
    if (as_stored) {
      EH_TRY(compressor_->end_frame(ready_));
      // Handed out without a copy where nothing stands before it.
      if (ready_.empty())
        ready_.swap(block->body_frame);
      else
        ready_.append(block->body_frame);
      pending_raw_ = 0;
      ++summary_->passed_through;
      blocks_.encoded(part, block->header.body_raw);
      return {};
    }
    EH_ASSIGN(const std::optional<std::string> bodies, blocks_.bodies(part, *block));
    if (!bodies) return {};
    EH_ASSIGN(const std::string_view raw, cut_lines(*bodies, part));
    blocks_.encoded(part, raw.size());
    return add(raw);
  }

  // Lines [begin, end) of the block's bodies. A body never holds an LF, so LFs count records.
  Result<std::string_view> cut_lines(std::string_view bodies, const BlockPart& part) {
    const auto skip = [&](std::size_t from, std::uint32_t lines) {
      for (; lines > 0 && from != std::string_view::npos; --lines) {
        from = bodies.find('\n', from);
        if (from != std::string_view::npos) ++from;
      }
      return from;
    };
    const std::size_t begin = skip(0, part.begin);
    const std::size_t end = part.to_end() ? bodies.size() : skip(begin, part.end - part.begin);
    if (begin == std::string_view::npos || end == std::string_view::npos)
      return fail(ErrorCode::kCorrupt, "block {} holds fewer lines than its header counts",
                  part.info.number.value);
    return bodies.substr(begin, end - begin);
  }

  // Frames hold at most a block's worth, so that readers and pass-through look alike; ndjson, which
  // never stands beside stored frames, is one frame.
  Status add(std::string_view raw) {
    if (lines() && rendering_.compression == Compression::kZstd && pending_raw_ > 0 &&
        pending_raw_ + raw.size() > kBlockRawBytes) {
      EH_TRY(compressor_->end_frame(ready_));
      pending_raw_ = 0;
    }
    pending_raw_ += raw.size();
    return compressor_->write(raw, ready_);
  }

  Status begin_ndjson(const BlockPart& part) {
    EH_ASSIGN(auto block, blocks_.read_decoded(part));
    if (!block) return {};
    EH_ASSIGN(std::string source, source_name(block->header.source));
    wrapping_ = std::make_unique<Wrapping>(part, *std::move(block), std::move(source));
    return {};
  }

  // Wraps records until there is enough to hand out, or the block ends: what many short records
  // become is many times what they were.
  Status wrap_records() {
    Wrapping& w = *wrapping_;
    Record record;
    bool more = true;
    text_.clear();
    // The compressor is called for many records at once.
    while (text_.size() < kTextBytes && (more = w.at < w.part.end && w.records.next(record))) {
      if (w.at++ < w.part.begin) continue;
      EH_ASSIGN(const std::string_view file, paths_.of(record.file));
      ndjson_.append(record, {rendering_.agent, w.source, file}, text_);
      w.raw += record.body.size() + 1;
    }
    EH_TRY(add(text_));
    if (!more) end_ndjson();
    return {};
  }

  void end_ndjson() {
    const Wrapping& w = *wrapping_;
    if (w.at < w.part.end) {  // the index is malformed from here on
      BlockPart rest = w.part;
      rest.begin = std::max(w.at, w.part.begin);
      blocks_.missing(rest);
    }
    if (w.at > w.part.begin) {
      BlockPart done = w.part;
      done.end = w.at;
      blocks_.encoded(done, w.raw);
    }
    wrapping_.reset();
  }

  Result<std::string> source_name(SourceId id) {
    if (!source_.empty()) return source_;
    if (const auto known = sources_.find(id); known != sources_.end()) return known->second;
    EH_ASSIGN(const auto all, store_.sources());
    for (const SourceState& s : all) sources_[s.id] = s.name;
    return sources_[id];
  }

  // A block whose records are being wrapped.
  struct Wrapping {
    Wrapping(const BlockPart& of, DecodedBlock decoded, std::string name)
        : part(of), block(std::move(decoded)), source(std::move(name)), records(block) {}
    const BlockPart part;
    const DecodedBlock block;
    const std::string source;
    RecordReader records;
    std::uint32_t at = 0;  // records read
    std::uint64_t raw = 0;
  };

  Store& store_;
  const ObjectRendering rendering_;
  const std::string source_;
  std::unique_ptr<Compressor> compressor_;
  std::shared_ptr<ObjectSummary> summary_;
  ClaimReader blocks_;
  std::map<SourceId, std::string> sources_;
  FilePaths paths_;
  std::unique_ptr<Wrapping> wrapping_;
  std::string text_;
  NdjsonWriter ndjson_;
  std::size_t pending_raw_ = 0;  // in the frame that is open
  bool produced_ = false;
};

// The outermost stream: counts, and says when all of it went out.
class CountingStream final : public ObjectStream {
 public:
  CountingStream(std::unique_ptr<ByteStream> inner, std::shared_ptr<ObjectSummary> summary)
      : inner_(std::move(inner)), summary_(std::move(summary)) {}
  // Its body's first stream, which it has to repeat.
  void repeats(std::shared_ptr<ObjectSummary> first) { first_ = std::move(first); }
  Result<std::size_t> read(char* out, std::size_t size) override {
    auto n = inner_->read(out, size);
    if (n) summary_->object_bytes += *n;
    if (!n || *n > 0 || size == 0) return n;
    summary_->complete = true;
    const bool other = first_ && first_->complete &&
                       (first_->missing_records != summary_->missing_records ||
                        first_->object_bytes != summary_->object_bytes);
    if (!other) return n;
    first_->changed = true;
    return fail(ErrorCode::kCorrupt,
                "the object has other records than before: blocks of it were damaged meanwhile; it "
                "is made anew");
  }
  std::shared_ptr<const ObjectSummary> summary() const override { return summary_; }

 private:
  std::unique_ptr<ByteStream> inner_;
  std::shared_ptr<ObjectSummary> summary_;
  std::shared_ptr<ObjectSummary> first_;  // null: it is the first
};

Result<std::unique_ptr<CountingStream>> open_stream(Store& store, const Claim& claim,
                                                    const ObjectRendering& rendering,
                                                    std::string_view source,
                                                    const ObjectEncryption& encryption,
                                                    std::shared_ptr<ObjectSummary> summary) {
  EH_ASSIGN(auto compressor, make_compressor(rendering.compression, rendering.level));
  std::unique_ptr<ByteStream> stream;
  if (claim.replay()) {
    EH_ASSIGN(stream,
              render_letters(store, claim, rendering, source, std::move(compressor), summary));
  } else {
    stream =
        std::make_unique<Renderer>(store, claim, rendering, source, std::move(compressor), summary);
  }
  EH_ASSIGN(stream, encryption.over(std::move(stream)));
  summary->metadata = encryption.metadata();
  return std::make_unique<CountingStream>(std::move(stream), std::move(summary));
}

class Body final : public ObjectBody {
 public:
  Body(Store& store, Claim claim, ObjectRendering rendering, std::string source,
       ObjectEncryption encryption)
      : store_(store),
        claim_(std::move(claim)),
        rendering_(std::move(rendering)),
        source_(std::move(source)),
        encryption_(std::move(encryption)) {}

  // Makes the first stream, so that what is wrong is told before a request begins.
  Status prepare() {
    EH_ASSIGN(first_, another(summary_));
    return {};
  }
  Result<std::unique_ptr<ByteStream>> open() override {
    if (first_) return std::move(first_);
    EH_ASSIGN(auto stream, another(std::make_shared<ObjectSummary>()));
    stream->repeats(summary_);
    return stream;
  }
  std::shared_ptr<const ObjectSummary> summary() const override { return summary_; }

 private:
  Result<std::unique_ptr<CountingStream>> another(std::shared_ptr<ObjectSummary> summary) {
    return open_stream(store_, claim_, rendering_, source_, encryption_, std::move(summary));
  }

  Store& store_;
  const Claim claim_;
  const ObjectRendering rendering_;
  const std::string source_;
  const ObjectEncryption encryption_;
  const std::shared_ptr<ObjectSummary> summary_ = std::make_shared<ObjectSummary>();
  std::unique_ptr<ObjectStream> first_;
};

}  // namespace

Result<std::unique_ptr<ObjectStream>> encode_object(Store& store, const Claim& claim,
                                                    const ObjectRendering& rendering,
                                                    std::string_view source) {
  EH_TRY(check_level(rendering.compression, rendering.level));
  EH_ASSIGN(const auto encryption, ObjectEncryption::draw(rendering));
  return open_stream(store, claim, rendering, source, encryption,
                     std::make_shared<ObjectSummary>());
}

Result<std::shared_ptr<ObjectBody>> encode_object_body(Store& store, Claim claim,
                                                       ObjectRendering rendering,
                                                       std::string source) {
  EH_TRY(check_level(rendering.compression, rendering.level));
  EH_ASSIGN(auto encryption, ObjectEncryption::draw(rendering));
  auto body = std::make_shared<Body>(store, std::move(claim), std::move(rendering),
                                     std::move(source), std::move(encryption));
  EH_TRY(body->prepare());
  return body;
}

}  // namespace edgehose
