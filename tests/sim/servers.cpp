#include "tests/sim/servers.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "sinks/s3/checksum.h"

namespace edgehose::sim {
namespace {

using Json = nlohmann::json;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

Token the_token(const std::string& text) {
  const std::vector<Token> tokens = tokens_in(text);
  return tokens.empty() ? "" : tokens.front();
}

std::string unzstd(const std::string& bytes) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  std::string text;
  std::array<char, 1 << 16> piece;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::size_t left = 0;
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) throw Broken{"an object is no zstd"};
    text.append(piece.data(), out.pos);
  }
  if (left != 0) throw Broken{"an object's zstd is cut short"};
  return text;
}

std::string ungzip(const std::string& bytes) {
  z_stream stream{};
  constexpr int kGzip = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzip) != Z_OK) throw Broken{"no memory"};
  std::string text;
  std::array<char, 1 << 16> piece;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int state = Z_OK;
  while (stream.avail_in > 0 && state >= 0) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
    if (state == Z_STREAM_END && stream.avail_in > 0) inflateReset(&stream);  // another member
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) throw Broken{"an object's gzip is not whole"};
  return text;
}

constexpr std::uint64_t kBugEvery = 5;  // objects

}  // namespace

std::string decompressed(std::string_view name, const std::string& bytes) {
  if (name.ends_with(".zst")) return unzstd(bytes);
  return name.ends_with(".gz") ? ungzip(bytes) : bytes;
}

std::string checksum_of(std::string_view bytes) { return crc64nvme_value(crc64nvme(0, bytes)); }
std::string tag_of(std::string_view bytes) {
  return fmt::format("\"{:016x}\"", crc64nvme(0, bytes));
}

// With a bug every fifth object is lost, or comes under another name too.
void Bucket::put(const std::string& key, const std::string& bytes) {
  const bool buggy = taken_++ % kBugEvery == kBugEvery - 1;
  if (buggy && bug_ == Bug::kLoses) return;
  keep(key, bytes);
  if (buggy && bug_ == Bug::kDoubles) keep("again/" + key, bytes);
}

void Bucket::keep(const std::string& key, const std::string& bytes) {
  Object object{tokens_in(decompressed(key, bytes)), bytes.size(), checksum_of(bytes)};
  const auto found = objects_.find(key);
  if (found == objects_.end())
    for (const Token& token : object.tokens) arrivals_.add(token);
  else if (found->second.tokens != object.tokens)
    throw Broken{fmt::format("another content comes under the name {}", key)};
  objects_[key] = std::move(object);
}

const Bucket::Object* Bucket::find(const std::string& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : &found->second;
}

std::string Bucket::begin(const std::string& key) {
  const std::string id = fmt::format("upload {}/+", ++begun_);
  uploads_[{key, id}];
  return id;
}

bool Bucket::part(const Upload& upload, unsigned number, const std::string& bytes, bool follows) {
  const auto found = uploads_.find(upload);
  if (found == uploads_.end()) return false;
  if (follows && number > found->second.size() + 1)
    throw Broken{
        fmt::format("part {} of {} comes before the one that precedes it", number, upload.first)};
  found->second[number] = bytes;
  return true;
}

std::optional<std::string_view> Bucket::complete(const Upload& upload,
                                                 const std::vector<std::string>& tags,
                                                 const std::string& checksum) {
  const auto found = uploads_.find(upload);
  if (found == uploads_.end()) return "NoSuchUpload";
  std::string bytes;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto part = found->second.find(static_cast<unsigned>(i + 1));
    if (part == found->second.end() || tag_of(part->second) != tags[i]) return "InvalidPart";
    bytes += part->second;
  }
  if (tags.empty()) return "MalformedXML";
  if (!checksum.empty() && checksum != checksum_of(bytes))
    throw Broken{fmt::format("the parts of {} do not make what its checksum tells", upload.first)};
  put(upload.first, bytes);
  uploads_.erase(upload);
  return std::nullopt;
}

bool Bucket::abort(const Upload& upload) {
  return bug_ == Bug::kLeaves ? uploads_.contains(upload) : uploads_.erase(upload) > 0;
}

std::vector<Bucket::Upload> Bucket::uploads(const std::string& prefix) const {
  std::vector<Upload> found;
  for (const auto& [upload, parts] : uploads_)
    if (upload.first.starts_with(prefix)) found.push_back(upload);
  return found;
}

// An item is two lines: {"create":{"_id":"..."}} and the document.
std::string Index::bulk(const std::string& body, const Busy& busy, bool shuffled) {
  const std::vector<std::string> lines = lines_of(body);
  if (lines.size() % 2 != 0) throw Broken{"a bulk request has a line too few"};
  Json items = Json::array();
  bool errors = false;
  for (std::size_t i = 0; i < lines.size(); i += 2) {
    const std::string id = Json::parse(lines[i]).at("create").at("_id").get<std::string>();
    const Token token = the_token(lines[i + 1]);
    Json item = {{"_index", "simulated"}, {"_id", id}, {"status", 201}};
    const auto refuse = [&](int status, const char* type) {
      item["status"] = status;
      item["error"] = {{"type", type}, {"reason", "as the simulation has it"}};
      errors = true;
    };
    if (const auto there = documents_.find(id); there != documents_.end()) {
      if (there->second != token)
        throw Broken{fmt::format("{} and {} have the same id", token, there->second)};
      refuse(409, "version_conflict_engine_exception");
    } else if (busy()) {
      refuse(429, "es_rejected_execution_exception");
    } else if (is_poison(token)) {
      refuse(400, "document_parsing_exception");
    } else {
      documents_[id] = token;
      if (!token.empty()) arrivals_.add(token);  // else it is the beginning of a line
    }
    items.push_back({{"create", std::move(item)}});
  }
  if (shuffled) std::reverse(items.begin(), items.end());
  return Json{{"took", 1}, {"errors", errors}, {"items", std::move(items)}}.dump();
}

std::uint64_t Collector::take(const std::string& channel, const std::string& body) {
  channels_.insert(channel);
  Pending pending{channel, next_id_[channel]++, tokens_in(body)};
  const std::uint64_t id = pending.id;
  pending_.push_back(std::move(pending));
  return id;
}

std::set<std::uint64_t> Collector::acknowledged(const std::string& channel,
                                                const std::vector<std::uint64_t>& ids) {
  std::set<std::uint64_t> told;
  for (const std::uint64_t id : ids)
    if (indexed_[channel].erase(id) == 1) told.insert(id);
  return told;
}

void Collector::index(std::size_t requests, Arrivals& arrivals) {
  for (; requests > 0 && !pending_.empty(); --requests) {
    const Pending& oldest = pending_.front();
    for (const Token& token : oldest.events) arrivals.add(token);
    indexed_[oldest.channel].insert(oldest.id);
    pending_.pop_front();
  }
}

void Collector::restart() {
  pending_.clear();
  next_id_.clear();
  indexed_.clear();
}

}  // namespace edgehose::sim
