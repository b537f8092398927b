// What a test begins with that needs the official vectors, which are no part of this tree.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

// Without their directory the test ends here, skipped by its name. Where it is there, a vector that
// is missing is a failure.
#define EDGEHOSE_NEED_VECTORS()                                                \
  do {                                                                         \
    if (!std::filesystem::is_directory(EDGEHOSE_VECTORS_DIR))                  \
      GTEST_SKIP() << "the official vectors are not in " EDGEHOSE_VECTORS_DIR; \
  } while (false)
