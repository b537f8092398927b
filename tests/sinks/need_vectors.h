// What a test begins with that needs the official vectors, which are no part of this tree.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace edgehose::test {

inline bool in_ci() {
  const char* const value = std::getenv("CI");
  return value != nullptr && std::string_view(value) == "true";
}

}  // namespace edgehose::test

// Without them the test ends here: skipped, or failed where CI=true, so that nothing goes unproved
// without notice. Where they are, one that is missing is a failure.
#define EDGEHOSE_NEED_VECTORS()                                                \
  do {                                                                         \
    if (std::filesystem::is_directory(EDGEHOSE_VECTORS_DIR)) break;            \
    if (edgehose::test::in_ci())                                               \
      GTEST_FAIL() << "the official vectors are not in " EDGEHOSE_VECTORS_DIR; \
    GTEST_SKIP() << "the official vectors are not in " EDGEHOSE_VECTORS_DIR;   \
  } while (false)
