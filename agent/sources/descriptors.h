// The file descriptors that the file sources of a process hold, and how they share what there is.
//
// Threading: pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/result.h"

namespace edgehose {

// Of all file sources together, beside the files: inotify, the epoll over it, a file that is
// hashed, and two more that are open for a moment (a directory that is listed, a file that is
// compared).
constexpr std::uint64_t kTableDescriptors = 5;

// What one source takes with this max_open_files: while a look sets files aside, the reader still
// has all of its own.
std::uint64_t descriptors_of_source(std::uint64_t max_open_files);

// What comes of the max_open_files that the sources ask for, where all of them together may take
// `budget` descriptors: those that ask for little get it, the others the same share each. Empty:
// not even one file each.
std::vector<std::uint64_t> share_descriptors(const std::vector<std::uint64_t>& wanted,
                                             std::uint64_t budget);

// Whether it failed for want of a descriptor, which says nothing about the file or directory.
bool wants_descriptor(const Error& error);
bool wants_descriptor(int sys);
// "raise LimitNOFILE= ...", for an error of that kind.
std::string how_to_raise(int sys);

}  // namespace edgehose
