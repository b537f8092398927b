// The elements of an array in a JSON text, one by one, without reading them: so that a long answer
// is taken apart before a parser sees its pieces. Pure.
#pragma once

#include <functional>
#include <string_view>

#include "agent/base/result.h"

namespace edgehose {

// Calls take(text) for each element of the array `name` of the object that `json` is; its error
// ends it. kInvalid: `json` is no object, has no such array, or goes on behind its end. What stands
// inside of elements and other members is not checked.
Status for_each_element(std::string_view json, std::string_view name,
                        const std::function<Status(std::string_view)>& take);

}  // namespace edgehose
