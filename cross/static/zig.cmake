# CMake's toolchain file of the static build: environment EDGEHOSE_STATIC_ARCH and EDGEHOSE_STATIC_CACHE say
# which architecture and where compiler.sh and libraries.sh have put its compiler and libraries.
set(CMAKE_SYSTEM_NAME Linux)
set(static_dir "$ENV{EDGEHOSE_STATIC_CACHE}/$ENV{EDGEHOSE_STATIC_ARCH}")
if(NOT EXISTS "${static_dir}/bin/c++")
  message(FATAL_ERROR "There is no compiler in ${static_dir}/bin: run cross/static/build.sh, which makes it")
endif()
set(CMAKE_SYSTEM_PROCESSOR "$ENV{EDGEHOSE_STATIC_ARCH}")
foreach(tool "C_COMPILER cc" "CXX_COMPILER c++" "AR ar" "RANLIB ranlib" "ASM_COMPILER cc")
  separate_arguments(tool)
  list(GET tool 0 name)
  list(GET tool 1 program)
  set(CMAKE_${name} "${static_dir}/bin/${program}")
endforeach()

# Only what was built for it: nothing of the machine that builds.
set(CMAKE_FIND_ROOT_PATH "${static_dir}/prefix")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_PREFIX_PATH "/")
set(ENV{PKG_CONFIG_LIBDIR} "${static_dir}/prefix/lib/pkgconfig")
set(ENV{PKG_CONFIG_PATH} "")

set(Boost_USE_STATIC_LIBS ON)
set(OPENSSL_USE_STATIC_LIBS ON)
# What static libcurl needs itself, and what takes the place of something in the C and C++ libraries.
set(CMAKE_CXX_STANDARD_LIBRARIES "-L${static_dir}/prefix/lib -lssl -lcrypto")
foreach(name cpu_model demangle memchr mimalloc random_device robust_mutex)
  string(APPEND CMAKE_CXX_STANDARD_LIBRARIES " ${static_dir}/prefix/lib/${name}.o")
endforeach()
string(APPEND CMAKE_CXX_STANDARD_LIBRARIES " -lcxx")
# Warnings of GCC that clang does not know.
set(CMAKE_CXX_FLAGS_INIT -Wno-unknown-warning-option)
# Of each thread's stack, in bytes: musl gives 128 KiB to those of a file that says nothing.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,-z,stack-size=1048576)
