#include "agent/commands/plain_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace edgehose {
namespace {

// Decrypted logs are as private as logs in /var/log: readable by the owner and the group.
constexpr mode_t kFileMode = 0640;

}  // namespace

Result<PlainOutput> PlainOutput::open(const std::optional<std::string>& path) {
  PlainOutput output;
  if (!path || *path == "-") return output;
  output.path_ = *path;
  const std::size_t slash = path->rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path->substr(0, slash + 1);
  output.temporary_ = directory + "." + path->substr(slash + 1) + ".XXXXXX";
  output.file_ = FileDescriptor(::mkostemp(output.temporary_.data(), O_CLOEXEC));
  if (!output.file_.valid()) {
    output.temporary_.clear();
    return fail_errno(errno, fmt::format("writing {}", *path));
  }
  return output;
}

PlainOutput::PlainOutput(PlainOutput&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)) {}

PlainOutput::~PlainOutput() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status PlainOutput::write(std::string_view bytes) {
  const bool to_file = file_.valid();
  return write_all(to_file ? file_.get() : STDOUT_FILENO, bytes,
                   to_file ? path_ : "standard output");
}

Status PlainOutput::finish() {
  if (!file_.valid()) return {};
  if (::fchmod(file_.get(), kFileMode) != 0 || ::fdatasync(file_.get()) != 0)
    return fail_errno(errno, fmt::format("writing {}", path_));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return fail_errno(errno, fmt::format("naming {}", path_));
  temporary_.clear();
  return {};
}

}  // namespace edgehose
