// Partitions: parts of AWS that have domains of their own. Pure.
// Source: partitions.json of AWS's SDKs.
#pragma once

#include <string_view>

namespace edgehose::aws {

// What the names of a region's endpoints end in: "amazonaws.com".
std::string_view domain_of(std::string_view region);

}  // namespace edgehose::aws
