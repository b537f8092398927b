// Json: a JSON value, off the data path. The one kind that the program uses: each other one would
// be compiled beside it, 0.1 MB of it. Members keep their order.
#pragma once

#include <nlohmann/json.hpp>

namespace edgehose {

using Json = nlohmann::ordered_json;

}  // namespace edgehose
