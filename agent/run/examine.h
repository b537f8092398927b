// What the types of sinks have in common in what they find wrong with a config. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/schema.h"
#include "sinks/http/http_config.h"

namespace edgehose {

// "prefix: it holds ...", told at the key that says so already.
inline std::string without(std::string_view beginning, const std::string& message) {
  return message.starts_with(beginning) ? message.substr(beginning.size()) : message;
}

inline void tell_unverified(const HttpConfig& http, std::vector<Complaint>& complaints) {
  if (!http.tls.verify)
    complaints.push_back({"tls.verify", "is false: everything is sent to whoever answers",
                          config::kWholeValue, true});
}

}  // namespace edgehose
