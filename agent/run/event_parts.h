// What sinks have in common that hand records to a service by request (sinks/events), for the
// registry.
//
// Threading: registry.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/run/registry.h"
#include "sinks/events/event_body.h"
#include "sinks/events/events_transport.h"

namespace edgehose {

// This machine's; empty: it has none.
std::string host_name();

// `parts` has its config. `beside`: bytes that an event has beside its record, about.
void deliver_events(SinkParts& parts, double beside, MakeWriter writer,
                    EventsTransport::Options options, std::shared_ptr<UploadBudget> budget);

// A warning for each endpoint that can be overheard.
void tell_in_the_clear(const std::vector<std::string>& endpoints,
                       std::vector<Complaint>& complaints);

// "index: ...", told at the key that says so already.
void tell_at_its_key(const std::string& message, bool warning, std::vector<Complaint>& complaints);

}  // namespace edgehose
