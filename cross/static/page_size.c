// What test.sh asserts before it says that a run had pages of that size.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  return printf("%ld\n", sysconf(_SC_PAGESIZE)) < 0;
}
