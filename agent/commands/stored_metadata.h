// What a bucket says of an object, as a file: the answer of `aws s3api head-object`, or the user
// metadata in it alone.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "sinks/object/s3ec/envelope.h"

namespace edgehose {

// The user metadata in JSON: those of its "Metadata", else of itself. Names become lower case and
// lose "x-amz-meta-". kInvalid: it is no such thing.
Result<s3ec::Metadata> parse_stored_metadata(std::string_view json);

Result<s3ec::Metadata> read_stored_metadata(const std::string& path);

}  // namespace edgehose
