// What libFuzzer calls. With EDGEHOSE_SEEDS=DIRECTORY the target's beginnings are written there
// first.
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (const char* const directory = std::getenv("EDGEHOSE_SEEDS"))
    edgehose::fuzz::write_seeds(directory);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  edgehose::fuzz::one({reinterpret_cast<const char*>(data), size});
  return 0;
}
