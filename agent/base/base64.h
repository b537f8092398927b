// Standard base64 (RFC 4648 section 4), strict: only canonical text decodes, so that one value has
// one spelling, as age demands.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace edgehose {

std::string encode_base64(std::string_view bytes, bool padded);
// None for a foreign character, wrong padding, or bits set after the last byte.
std::optional<std::string> decode_base64(std::string_view text, bool padded);

}  // namespace edgehose
