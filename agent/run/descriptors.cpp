#include "agent/run/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/run/registry.h"
#include "agent/sources/descriptors.h"
#include "agent/sources/file_config.h"

namespace edgehose {
namespace {

// Standard streams, signals, wakers, the control socket and its clients, the buffer's files, and
// others that are open for a moment: 26 at most. The rest is for what was inherited.
constexpr std::uint64_t kOfProcess = 32;

// Beyond kMostDescriptors the soft limit is not raised: a lone number sets it, too.
std::string advice(std::uint64_t wanted) {
  const std::string_view soft = wanted > kMostDescriptors ? ", the soft one too" : "";
  return fmt::format("raise the limit to {0}{1} (LimitNOFILE={0} of the service, ulimit -n {0})",
                     wanted, soft);
}

}  // namespace

std::uint64_t descriptor_limit(std::uint64_t soft, std::uint64_t hard) {
  return std::max(soft, std::min(hard, kMostDescriptors));
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMostDescriptors;
  const rlimit raised{descriptor_limit(limit.rlim_cur, limit.rlim_max), limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

std::string DescriptorPlan::text() const {
  std::uint64_t before = 0, now = 0;
  for (const std::uint64_t files : asked) before += files;
  for (const std::uint64_t files : open_files) now += files;
  return fmt::format(
      "descriptors: of {} that the process may have {} are kept for sinks and the buffer, so the "
      "sources hold at most {} open at once, not {} (max_open_files): {}",
      format_count(limit), format_count(reserved), format_count(now, "file"), format_count(before),
      advice(wanted));
}

Result<DescriptorPlan> plan_descriptors(const Config& config, std::uint64_t limit) {
  DescriptorPlan plan;
  plan.limit = limit;
  plan.reserved = kOfProcess;
  for (const Component& sink : config.sinks) plan.reserved += sink_descriptors(sink);
  for (const Component& source : config.sources)
    plan.asked.push_back(source.as<FileSourceConfig>().max_open_files);
  plan.wanted = plan.reserved + kTableDescriptors;
  for (const std::uint64_t files : plan.asked) plan.wanted += descriptors_of_source(files);
  plan.open_files = share_descriptors(plan.asked, limit - std::min(limit, plan.reserved));
  const bool fits = limit >= plan.reserved && (plan.asked.empty() || !plan.open_files.empty());
  if (fits) return plan;
  return fail(ErrorCode::kInvalid,
              "{} file descriptors are too few: the agent and its {} need {}, {} more: {}", limit,
              format_count(config.sinks.size(), "sink"), plan.reserved,
              format_count(config.sources.size(), "source"), advice(plan.wanted));
}

}  // namespace edgehose
