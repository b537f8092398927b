#include "agent/commands/demo_proof.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "agent/base/file.h"
#include "sinks/object/decrypt.h"

namespace edgehose {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestLine = 64 * 1024;  // none of a demo's is near it

// Takes objects as they are opened, in pieces, and counts their lines.
class LineTally {
 public:
  LineTally(const gateway::LineOptions& line, std::uint64_t lines)
      : line_(line), seen_(static_cast<std::size_t>(lines)) {}

  void add(std::string_view bytes) {
    for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos;) {
      rest_.append(bytes.substr(0, end));
      count(rest_);
      rest_.clear();
      bytes.remove_prefix(end + 1);
    }
    rest_.append(bytes.substr(0, kLongestLine - std::min(kLongestLine, rest_.size())));
  }
  // Lines end in objects, so what has no end is none that was logged.
  void end_of_object() {
    if (!rest_.empty()) count(rest_);
    rest_.clear();
  }
  void tell(DemoProof& proof) const {
    proof.arrived = arrived_;
    proof.doubled = doubled_;
    proof.changed = changed_;
    proof.missing = static_cast<std::uint64_t>(std::count(seen_.begin(), seen_.end(), false));
  }

 private:
  void count(std::string_view text) {
    ++arrived_;
    const auto n = gateway::find_id(line_.run, text);
    logged_.clear();
    if (n && *n < seen_.size()) gateway::append_line(line_, *n, logged_);
    if (logged_.empty() || text != logged_)
      ++changed_;
    else if (auto seen = seen_[static_cast<std::size_t>(*n)]; seen)
      ++doubled_;
    else
      seen = true;
  }

  const gateway::LineOptions& line_;
  std::vector<bool> seen_;
  std::string rest_, logged_;
  std::uint64_t arrived_ = 0, doubled_ = 0, changed_ = 0;
};

Result<std::vector<std::string>> objects_below(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const bool hidden = it->path().filename().string().starts_with('.');
    if (hidden && it->is_directory(error)) it.disable_recursion_pending();
    if (!hidden && it->is_regular_file(error)) paths.push_back(it->path().string());
  }
  if (error) return fail_errno(error.value(), fmt::format("listing {}", directory));
  std::sort(paths.begin(), paths.end());
  return paths;
}

Status read_object(const std::string& path, const AgeIdentity& identity, LineTally& tally) {
  EH_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
  EH_ASSIGN(const OpenedObject object,
            open_object(read_descriptor(file.get(), path), {{identity}, true}));
  if (!object.encrypted) return fail(ErrorCode::kInvalid, "it is not encrypted");
  EH_TRY(copy_stream(*object.plain, [&](std::string_view bytes) -> Status {
    tally.add(bytes);
    return {};
  }));
  tally.end_of_object();
  return {};
}

}  // namespace

Result<DemoProof> prove_delivery(const std::string& directory, const AgeIdentity& identity,
                                 const gateway::LineOptions& line, std::uint64_t lines) {
  DemoProof proof;
  LineTally tally(line, lines);
  EH_ASSIGN(const std::vector<std::string> paths, objects_below(directory));
  for (const std::string& path : paths) {
    if (Status read = read_object(path, identity, tally); !read)
      return tl::unexpected(std::move(read.error()).with_context(path));
    std::error_code ignored;
    const std::uintmax_t size = fs::file_size(path, ignored);
    ++proof.objects;
    proof.bytes += ignored ? 0 : size;
  }
  tally.tell(proof);
  return proof;
}

}  // namespace edgehose
