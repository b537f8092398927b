// Whether the config fits the file descriptors that the service, or this user, may have.
#include <sys/resource.h>

#include "agent/commands/check_report.h"
#include "agent/commands/drop_in.h"
#include "agent/run/descriptors.h"

namespace edgehose {
namespace {

std::uint64_t limit_here(const ServiceUnit& unit) {
  if (const auto limits = unit.descriptor_limits())
    return descriptor_limit(limits->soft, limits->hard);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMostDescriptors;
  return descriptor_limit(limit.rlim_cur, limit.rlim_max);
}

}  // namespace

void check_descriptors(const Config& config, const ServiceUnit& unit, Findings& findings) {
  const auto plan = plan_descriptors(config, limit_here(unit));
  const auto told = [&](const std::string& problem, const std::string& setting) {
    return unit.installed ? problem + "; " + how_to_drop_in(kManyFiles, setting) : problem;
  };
  if (!plan)
    (unit.installed && !unit.runs_it ? findings.warnings : findings.errors)
        .push_back(told(plan.error().message, ""));
  else if (plan->reduced())
    findings.warnings.push_back(told(plan->text(), fmt::format("LimitNOFILE={}", plan->wanted)));
}

}  // namespace edgehose
