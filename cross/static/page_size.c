// What test.sh asks before it says that a run had pages of that size: how large they are, and, by exit
// code 0, whether a map that is larger than its file shows what the file becomes, as the buffer needs.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void) {
  const long page = sysconf(_SC_PAGESIZE);
  printf("%ld\n", page);
  if (fflush(stdout) != 0) return 1;
  FILE* const file = tmpfile();
  if (file == NULL || ftruncate(fileno(file), page) != 0) return 1;
  const char* const map = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, fileno(file), 0);
  if (map == MAP_FAILED || pwrite(fileno(file), "x", 1, 2 * page) != 1) return 1;
  return map[2 * page] != 'x';
}
