# What the toolchain files share: Debian's cross compiler of `triplet`, the sysroot of `debian_arch`
# (../sysroot.sh), and qemu-user to run what was built. Each names those two and the processor.
set(CMAKE_SYSTEM_NAME Linux)

if(DEFINED ENV{EDGEHOSE_SYSROOTS})
  set(CMAKE_SYSROOT "$ENV{EDGEHOSE_SYSROOTS}/${debian_arch}")
else()
  set(CMAKE_SYSROOT "$ENV{HOME}/.cache/edgehose/sysroots/${debian_arch}")
endif()
if(NOT EXISTS "${CMAKE_SYSROOT}/.holds")
  message(FATAL_ERROR "There is no sysroot in ${CMAKE_SYSROOT}: bash cross/sysroot.sh ${debian_arch}")
endif()

set(CMAKE_CXX_COMPILER ${triplet}-g++)
set(CMAKE_CXX_COMPILER_TARGET ${triplet})
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})
set(CMAKE_FIND_ROOT_PATH "${CMAKE_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${CMAKE_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR}
  "${CMAKE_SYSROOT}/usr/lib/${triplet}/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig")

# A machine runs what is built for its own processor itself.
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL CMAKE_SYSTEM_PROCESSOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-${qemu}-static;-L;${CMAKE_SYSROOT}")
endif()
