// What __builtin_cpu_supports looks at, for the static build: the library of its compiler says that
// a processor can do nothing, so checksums were computed by tables and buffers sealed without AES.
//
// On x86 alone; elsewhere the kernel is asked (getauxval). Of instructions that widen registers
// (AVX) nothing is said, as the kernel would have to be asked for them too: they stay unused.
#ifdef __x86_64__
#include <cpuid.h>
#include <stddef.h>

// As compilers know it: the places are GCC's, and never change.
struct {
  unsigned vendor, type, subtype, features;
} __cpu_model;
unsigned __cpu_features2[3];

int __cpu_indicator_init(void) __attribute__((constructor(101)));

int __cpu_indicator_init(void) {
  static const struct {
    unsigned cpuid, place;
  } features[] = {{bit_POPCNT, 2}, {bit_SSE3, 5}, {bit_SSSE3, 6},  {bit_SSE4_1, 7},
                  {bit_SSE4_2, 8}, {bit_AES, 18}, {bit_PCLMUL, 19}};
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return -1;
  for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); ++i) {
    if (ecx & features[i].cpuid) __cpu_model.features |= 1u << features[i].place;
  }
  return 0;
}
#endif
