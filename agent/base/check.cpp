#include "agent/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace edgehose {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "edgehose: a check failed, please report it: %s (%s:%d)\n", condition, file,
               line);
  std::abort();
}

}  // namespace edgehose
