// The small values of an environment, whichever way they were read: whether they are what their
// keys say.
//
// Threading: pure functions.
#pragma once

#include <string_view>

#include "agent/base/result.h"
#include "buffer/keys.h"

namespace edgehose {

// False: no release writes such a key, of no minor version. Blocks and the clean mark are none of
// these.
bool is_small_value(std::string_view key);

// kCorrupt: it cannot be decoded. What is encrypted with a key that `keys` lacks counts as sound.
Status check_small_value(std::string_view key, std::string_view value, const Keyring& keys);

}  // namespace edgehose
