set(debian_arch riscv64)
set(triplet riscv64-linux-gnu)
set(qemu riscv64)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)

# The compiler is Debian 12's, the libraries are Debian 13's: the linker takes C's and C++'s from there too, not those
# that came with the compiler, which lack what the others want.
file(GLOB libraries_of_gcc ${CMAKE_SYSROOT}/usr/lib/gcc/${triplet}/*)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${libraries_of_gcc} -L${CMAKE_SYSROOT}/usr/lib/${triplet}")
# What GCC 12 has no instruction for, the exchange of a single byte, is there.
set(CMAKE_CXX_STANDARD_LIBRARIES_INIT -l:libatomic.a)
