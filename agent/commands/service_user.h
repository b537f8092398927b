// Acting as the service: what root looks at or writes must be what the service can open.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/commands/service_unit.h"

namespace edgehose {

struct User {
  std::string name;  // "#1234" where it has none
  uid_t uid = 0;
  gid_t gid = 0;
};

constexpr char kServiceUser[] = "edgehose";  // where no unit says otherwise

bool is_root();
// By name or number.
std::optional<User> find_user(const std::string& name);
std::optional<gid_t> find_group(const std::string& name);
std::optional<std::string> group_name(gid_t id);
// Whose the nearest existing directory at or above `path` is.
std::optional<User> owner_of(const std::string& path);

// Whom a check speaks of, and rights are to be granted to: who asks; where that is still root,
// since the service's user is not there yet, that one.
std::string checked_user(const ServiceUnit& unit);

// Gives root's rights up for good, but for CAP_DAC_READ_SEARCH where `reads_everything`: the user's
// groups and those named beside them (one that this system does not have is left out), group and
// user. Only root may.
Status become(const User& user, const std::vector<std::string>& more_groups = {},
              bool reads_everything = false);
// Whether this process may read `path`, with the rights that it has kept.
bool may_read(const std::string& path);

// The nearest directory at or above `path` that is there.
std::string existing_ancestor(std::string path);

// Root makes a data_dir that is not there yet for `service`: what a first run by hand leaves, the
// service can open. Where its parent is another user's it is that one's (make_directories); nobody
// but root, and without a `service`, makes nothing.
Status make_data_dir(const std::string& data_dir, const std::optional<User>& service);

// Root, before it writes below a data_dir that another user owns, becomes that user; anybody else
// stays. Secrets must have been read before.
Status become_owner_of(const std::string& data_dir);

}  // namespace edgehose
