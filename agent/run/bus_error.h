// What is said where the kernel cannot give a page of the buffer's mapping (SIGBUS): its file was
// cut short, or its disk fails. The process ends all the same, and the next start salvages.
//
// Threading: once, before other threads; the handler only writes to standard error.
#pragma once

#include <string>

namespace edgehose {

void tell_bus_errors(const std::string& data_dir);

}  // namespace edgehose
