#include "tests/sim/servers.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

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

}  // namespace

std::string decompressed(const std::string& name, const std::string& bytes) {
  if (name.ends_with(".zst")) return unzstd(bytes);
  return name.ends_with(".gz") ? ungzip(bytes) : bytes;
}

void Bucket::put(const std::string& key, const std::string& content) {
  std::vector<Token> tokens = tokens_in(content);
  const auto found = objects_.find(key);
  if (found == objects_.end()) {
    for (const Token& token : tokens) arrivals_.add(token);
    objects_[key] = std::move(tokens);
  } else if (found->second != tokens) {
    throw Broken{fmt::format("another content comes under the name {}", key)};
  }
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
    Json item = {{"_id", id}, {"status", 201}};
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

Collector::Answer Collector::events(const std::string& channel, const std::string& body) {
  Pending pending{channel, next_id_[channel]++, tokens_in(body)};
  const std::string answer = fmt::format(R"({{"text":"Success","code":0,"ackId":{}}})", pending.id);
  pending_.push_back(std::move(pending));
  return {200, answer};
}

Collector::Answer Collector::acks(const std::string& channel, const std::string& question) {
  Json answer = Json::object();
  const Json asked = Json::parse(question);
  for (const Json& id : asked.at("acks"))  // told once
    answer[std::to_string(id.get<std::uint64_t>())] =
        indexed_[channel].erase(id.get<std::uint64_t>()) == 1;
  return {200, Json{{"acks", answer}}.dump()};
}

void Collector::index(std::size_t requests) {
  for (; requests > 0 && !pending_.empty(); --requests) {
    const Pending& oldest = pending_.front();
    for (const Token& token : oldest.events) arrivals_.add(token);
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
