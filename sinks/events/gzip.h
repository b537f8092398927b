// gzip of what is in memory: bodies that go out, answers that come back. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

// One member: servers read no more than the first.
Result<std::string> gzip(std::string_view bytes);
// kFull: more than `limit` bytes.
Result<std::string> gunzip(std::string bytes, std::size_t limit);
// The same; what could be read until it failed is appended to `out`.
Status gunzip(std::string bytes, std::size_t limit, std::string& out);

}  // namespace edgehose
