// std::random_device from the kernel, for the static build: the C++ library's opens /dev/urandom,
// and throws where a root has no /dev.
#include <unistd.h>

#include <cstdlib>
#include <random>

_LIBCPP_BEGIN_NAMESPACE_STD

random_device::random_device(const string&) {}
random_device::~random_device() {}

unsigned random_device::operator()() {
  unsigned number;
  if (::getentropy(&number, sizeof(number)) != 0) std::abort();  // what Linux had before 3.17
  return number;
}

double random_device::entropy() const noexcept { return 8 * sizeof(unsigned); }

_LIBCPP_END_NAMESPACE_STD
