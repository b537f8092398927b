// What a sink's note remembers once a request was too large for the server: half of it, as the size
// of a batch from then on. "max_raw_size=524288". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace edgehose {

// Of a note; none: nothing is known.
std::optional<std::uint64_t> noted_size_limit(const std::string& note);
// The note once a body of so many bytes was refused; none: it stays as it is, as for bodies so
// small that it was for another cause.
std::optional<std::string> note_too_large(const std::string& note, std::uint64_t bytes);
// The note once one was taken: where it is longer than the limit (of before that was learned, or
// one that estimates made too long), the limit is not so low.
std::optional<std::string> note_taken(const std::string& note, std::uint64_t bytes);

}  // namespace edgehose
