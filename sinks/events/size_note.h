// What a sink's note remembers once a request was too large for the server: half of it, as the size
// of a batch from then on. "max_raw_size=524288". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace edgehose {

// Of a note; none: nothing is known.
std::optional<std::uint64_t> noted_size_limit(const std::string& note);
// The note once a body of so many bytes was refused; none: it stays as it is.
std::optional<std::string> note_too_large(const std::string& note, std::uint64_t bytes);

}  // namespace edgehose
