// Robust mutexes without asking the kernel first, for the static build: the C library's way refuses
// them where an emulator or a sandbox does not answer get_robust_list, and then no buffer opens there.
// The other C library does not ask either.
#include <errno.h>
#include <pthread.h>

int pthread_mutexattr_setrobust(pthread_mutexattr_t* attributes, int robust) {
  const unsigned bit = 4;  // as the C library has it
  if (robust != PTHREAD_MUTEX_ROBUST && robust != PTHREAD_MUTEX_STALLED) return EINVAL;
  attributes->__attr &= ~bit;
  if (robust == PTHREAD_MUTEX_ROBUST) attributes->__attr |= bit;
  return 0;
}
