// For headers that only declare `config::Fields<MyConfig> my_fields();`.
#pragma once

namespace edgehose::config {
template <class C>
struct Fields;
}
