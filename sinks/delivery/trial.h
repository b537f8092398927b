// Trial: one thing that was tried at a sink's destination before anything depends on it, for
// people: `edgehose check --connect`. A value.
#pragma once

#include <string>

namespace edgehose {

struct Trial {
  enum class Outcome { kGood, kWarning, kFailed };
  Outcome outcome = Outcome::kGood;
  std::string what;  // what works; or what does not, and what to do
};

}  // namespace edgehose
