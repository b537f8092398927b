#include "agent/run/event_parts.h"

#include <unistd.h>

#include <array>

#include "agent/run/examine.h"
#include "sinks/events/endpoints.h"

namespace edgehose {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

void deliver_events(SinkParts& parts, double beside, MakeWriter writer,
                    EventsTransport::Options options, std::shared_ptr<UploadBudget> budget) {
  parts.estimate = {0, 1.1, beside, false};
  parts.networked = true;
  parts.bodies = [writer = std::move(writer),
                  limit = kLongestBodyFactor * parts.config.batch.max_size](Store& store) {
    return event_bodies(store, writer, limit);
  };
  parts.transport = [options = std::move(options), budget = std::move(budget)](const Clock& clock,
                                                                               std::uint64_t seed) {
    EventsTransport::Options own = options;
    own.seed = seed;
    if (budget) own.http.budgets.push_back(budget);
    return std::make_unique<EventsTransport>(std::move(own), clock);
  };
}

void tell_in_the_clear(const std::vector<std::string>& endpoints,
                       std::vector<Complaint>& complaints) {
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    if (in_the_clear(endpoints[i]))
      complaints.push_back({"endpoints",
                            "is not https: whoever is on the way reads and changes what is sent", i,
                            true});
}

void tell_at_its_key(const std::string& message, bool warning, std::vector<Complaint>& complaints) {
  const std::string key = message.substr(0, message.find(": "));
  complaints.push_back({key, without(key + ": ", message), config::kWholeValue, warning});
}

}  // namespace edgehose
