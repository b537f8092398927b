// What starting this program again takes: where it lies, and arguments as execv(2) wants them.
#pragma once

#include <string>
#include <vector>

namespace edgehose {

// By the path that it was started under, as long as that leads to it: it names the process in ps.
// Else /proc/self/exe, which is this program also after its file was replaced. Where there is no
// /proc, the name that it was started under.
std::string own_program();

// Pointers into `words`, and a null pointer at the end: good as long as `words` is there,
// unchanged.
std::vector<char*> argument_list(std::vector<std::string>& words);

}  // namespace edgehose
