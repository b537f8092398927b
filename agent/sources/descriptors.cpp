#include "agent/sources/descriptors.h"

#include <algorithm>
#include <cerrno>

#include "agent/sources/file_table.h"

namespace edgehose {
namespace {

// Its epoll, its waker, and the second descriptor of a file that is being decompressed.
constexpr std::uint64_t kOfSource = 3;

}  // namespace

std::uint64_t descriptors_of_source(std::uint64_t max_open_files) {
  return kOfSource + max_open_files + held_limit(max_open_files);
}

std::vector<std::uint64_t> share_descriptors(const std::vector<std::uint64_t>& wanted,
                                             std::uint64_t budget) {
  if (wanted.empty()) return {};
  const auto cost = [&](std::uint64_t most) {
    std::uint64_t sum = kTableDescriptors;
    for (const std::uint64_t files : wanted) sum += descriptors_of_source(std::min(files, most));
    return sum;
  };
  std::uint64_t most = 0, above = *std::ranges::max_element(wanted) + 1;
  while (above - most > 1) {
    const std::uint64_t middle = most + (above - most) / 2;
    (cost(middle) <= budget ? most : above) = middle;
  }
  if (most == 0) return {};
  std::vector<std::uint64_t> shares;
  for (const std::uint64_t files : wanted) shares.push_back(std::min(files, most));
  return shares;
}

bool wants_descriptor(int sys) { return sys == EMFILE || sys == ENFILE; }
bool wants_descriptor(const Error& error) { return wants_descriptor(error.sys); }

std::string how_to_raise(int sys) {
  return sys == ENFILE ? "raise the system's limit: sysctl fs.file-max"
                       : "raise the limit: LimitNOFILE= of the service, ulimit -n";
}

}  // namespace edgehose
