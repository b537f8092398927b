// Bech32 (BIP 173), as age writes its keys: without the limit of 90 characters, all lower or all
// upper case.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose::age {

// `prefix` in lower case; the text is lower case.
std::string encode_bech32(std::string_view prefix, std::string_view bytes);

// The bytes of a text with this prefix (lower case). The error (kInvalid) says what is wrong with
// the text and never repeats it: it may be a secret.
Result<std::string> decode_bech32(std::string_view prefix, std::string_view text);

}  // namespace edgehose::age
