set(debian_arch armhf)
set(triplet arm-linux-gnueabihf)
set(qemu arm)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)  # notes on what GCC 7 changed: everything here is of one compiler
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
