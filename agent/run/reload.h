// Reload: how a running agent takes on another config. It starts its own program anew in its own
// process (execve), since all of its state is durable: the process id, the environment
// (NOTIFY_SOCKET, WATCHDOG_USEC, CREDENTIALS_DIRECTORY) and the blocked signals stay, and what is
// signalled meanwhile is heard afterwards.
//
// It is handed the text of the config that was judged: that one runs, whatever its files hold by
// then. And the text of the one before, which runs again where a start with the new one fails. So a
// reload ends with one of the two running.
//
// The program is the one that judged, also where its file has been replaced: an upgrade takes a
// restart.
//
// Threading: main alone. start_anew() ends every other thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/types.h"
#include "agent/config/load.h"

namespace edgehose {

// Of the process that runs, over all the configs that it has had.
struct ReloadReport {
  std::uint64_t count = 0;  // asked for and judged
  std::string refused;      // why the last one was; empty: it was taken, or there was none
  WallTime refused_at;
  bool operator==(const ReloadReport&) const = default;
};

// What a process leaves to the one that it becomes.
struct Handover {
  std::vector<ConfigText> config;  // to run
  std::vector<ConfigText> before;  // to go back to; empty: nothing
  ReloadReport reload{};
  bool operator==(const Handover&) const = default;
};

// As bytes and back; kInvalid for what is none.
std::string to_bytes(const Handover& handover);
Result<Handover> parse_handover(std::string_view bytes);

// What this process was handed, once: it is not inherited further. None: this is a start.
std::optional<Handover> take_handover();

// Closes what is open and becomes the same program with the same arguments. Returns only where that
// fails.
Error start_anew(const Handover& handover);

// For a start with `handed` that failed for `why`: starts anew with the config before it. Returns
// `why` where there is none.
Error go_back(const Handover& handed, Error why);

}  // namespace edgehose
