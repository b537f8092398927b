#include "tests/sim/logs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "agent/base/check.h"
#include "agent/base/file.h"
#include "tests/sim/disk.h"
#include "tests/sim/plan.h"
#include "tests/sim/servers.h"

namespace edgehose::sim {
namespace {

constexpr std::string_view kBegin = "<<", kEnd = ">>";
constexpr std::size_t kMaxFile = 64 << 20;
constexpr unsigned kRotations = 4;  // kept of each log

std::string content(const std::string& path) { return read_file(path, kMaxFile).value_or(""); }

void set_time(const std::string& path, WallTime now) {
  const timespec time{now.value / 1'000'000'000, now.value % 1'000'000'000};
  const timespec both[2] = {time, time};
  ::utimensat(AT_FDCWD, path.c_str(), both, 0);
}

WallTime time_of(const std::string& path) {
  struct stat info {};
  ::stat(path.c_str(), &info);
  return WallTime(std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
}

std::uint64_t size_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::uint64_t inode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// Hardly compressible, the same for the same line.
std::string padding(std::uint64_t line, unsigned bytes) {
  Random random(line);
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) text.push_back(static_cast<char>('a' + random.below(26)));
  return text;
}

}  // namespace

// A power cut leaves beginnings of lines, which hold no token.
std::vector<Token> tokens_in(std::string_view text) {
  std::vector<Token> tokens;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos;
       at = text.find(kBegin, at + kBegin.size())) {
    const std::size_t end =
        text.find_first_not_of("abcdefghijklmnopqrstuvwxyz:0123456789", at + kBegin.size());
    if (end == std::string_view::npos || text.substr(end, kEnd.size()) != kEnd) continue;
    tokens.emplace_back(text.substr(at, end + kEnd.size() - at));
  }
  return tokens;
}

std::uint64_t number_of(const Token& token) {
  return std::strtoull(token.c_str() + token.find(':') + 1, nullptr, 10);
}

bool is_poison(const Token& token) { return !token.empty() && number_of(token) % 97 == 13; }

Logs::Logs(std::string directory, unsigned sources)
    : directory_(std::move(directory)), sources_(sources) {
  std::filesystem::create_directories(directory_);
}

std::string Logs::path(unsigned source) const {
  return fmt::format("{}/{}.log", directory_, source_name(source));
}

std::vector<std::string> Logs::files(unsigned source) const {
  std::vector<std::string> found;
  if (name_exists(path(source))) found.push_back(path(source));
  for (unsigned n = 1; n <= kRotations; ++n)
    if (const std::string file = fmt::format("{}.{}", path(source), n); name_exists(file))
      found.push_back(file);
  return found;
}

void Logs::append(const std::string& path, std::string_view text, WallTime now) const {
  const auto fd = open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  EH_CHECK(fd && write_all(fd->get(), text, path));
  set_time(path, now);
}

void Logs::write(unsigned source, unsigned lines, unsigned pad, WallTime now) {
  std::string text;
  // A line that a power cut tore is ended by its writer.
  if (const std::string before = content(path(source)); !before.empty() && before.back() != '\n')
    text += '\n';
  for (unsigned i = 0; i < lines; ++i) {
    const std::uint64_t n = ++next_[source];
    const Token token = fmt::format("<<{}:{}>>", source_name(source), n);
    written_.insert(token);
    text += fmt::format("{} {}\n", token, padding(n, pad + static_cast<unsigned>(n * 7 % 40)));
  }
  append(path(source), text, now);
  note_ages(source);
}

// Only what was written to tells an order.
void Logs::note_ages(unsigned source) {
  std::optional<WallTime> younger;
  for (const std::string& file : files(source)) {
    if (size_of(file) == 0) continue;
    if (younger && *younger < time_of(file)) set_back_.insert(source);
    younger = time_of(file);
  }
}

void Logs::rotate(unsigned source, WallTime now) {
  std::error_code ignored;
  for (unsigned n = kRotations; n >= 1; --n) {
    const std::string from = n == 1 ? path(source) : fmt::format("{}.{}", path(source), n - 1);
    if (name_exists(from))
      std::filesystem::rename(from, fmt::format("{}.{}", path(source), n), ignored);
  }
  append(path(source), "", now);
}

void Logs::copy_truncate(unsigned source, WallTime now) {
  if (!name_exists(path(source))) return;
  copied_.insert(source);
  for (unsigned n = kRotations; n >= 2; --n)
    if (const std::string from = fmt::format("{}.{}", path(source), n - 1); name_exists(from))
      std::filesystem::rename(from, fmt::format("{}.{}", path(source), n));
  const std::string copy = path(source) + ".1";
  append(copy, content(path(source)), now);
  copies_.insert(inode_of(copy));
  EH_CHECK(::truncate(path(source).c_str(), 0) == 0);
  disk::forget_beyond(path(source), 0);
  set_time(path(source), now);
}

bool Logs::remove_oldest(unsigned source) {
  const std::vector<std::string> there = files(source);
  if (there.empty() || there.back() == path(source)) return false;
  return std::filesystem::remove(there.back());
}

void Logs::cut_power(std::uint64_t choice,
                     const std::map<std::uint64_t, std::uint64_t>& positions) {
  Random random(choice);
  for (unsigned source = 0; source < sources_; ++source)
    for (const std::string& file : files(source)) {
      const std::uint64_t size = size_of(file), safe = disk::synced_size(file);
      const std::uint64_t left = safe + random.below(size - safe + 1);
      if (left == size) {
        disk::all_is_safe(file);
        continue;
      }
      const auto position = positions.find(inode_of(file));
      // Of a log that was cut to nothing the agent's position may be one in what was there before.
      if (!copied_.contains(source) && position != positions.end() && position->second <= size &&
          position->second > left)
        throw Broken{fmt::format("{} bytes are committed as read, and {} of them synced: {}",
                                 position->second, safe, file)};
      const std::string text = content(file);
      const std::size_t line = left == 0 ? std::string::npos : text.rfind('\n', left - 1);
      const std::size_t begin = line == std::string::npos ? 0 : line + 1;
      for (const Token& token : tokens_in(text.substr(begin, text.find('\n', left) - begin)))
        torn_.insert(token);
      torn_sources_.insert(source);
      if (copies_.contains(inode_of(file))) unsure_.insert(source);
      const WallTime time = time_of(file);
      EH_CHECK(::truncate(file.c_str(), static_cast<off_t>(left)) == 0);
      set_time(file, time);
      disk::all_is_safe(file);
    }
}

bool Logs::is_unsure(const Token& token) const {
  return std::ranges::any_of(
      unsure_, [&](unsigned source) { return token.starts_with("<<" + source_name(source)); });
}

std::set<Token> Logs::held() const {
  std::set<Token> tokens;
  for (unsigned source = 0; source < sources_; ++source)
    for (const std::string& file : files(source))
      for (Token& token : tokens_in(content(file)))
        if (!torn_.contains(token)) tokens.insert(std::move(token));
  return tokens;
}

}  // namespace edgehose::sim
