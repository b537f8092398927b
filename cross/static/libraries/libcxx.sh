# The C++ library and its ABI's, of the compiler's own sources. In the place of those that zig would link, which are for
# speed and finished code, these are for size and optimised with what calls them: of streams, locales and their facets
# nothing stays but what is used.
lib=$(echo "$venv"/lib/python3*/site-packages/ziglang/lib)
flags=(-std=c++23 -DNDEBUG -w -fvisibility-inlines-hidden -D_LIBCPP_BUILDING_LIBRARY -D_LIBCXXABI_BUILDING_LIBRARY
       -DLIBCXX_BUILDING_LIBCXXABI -I"$lib/libcxx/src" -I"$lib/libcxx/libc" -I"$lib/libcxxabi/include")
small=() fast=("$lib"/libcxx/src/{charconv,hash,string}.cpp)
for file in "$lib"/libcxx/src/{*,filesystem/*,ryu/*}.cpp "$lib"/libcxxabi/src/*.cpp; do
  case ${file##*/} in
    int128_builtins.cpp | strstream.cpp | *_destructor.cpp) ;;  # of other compilers, and of libraries before this one
    cxa_noexception.cpp) ;;                                     # for programs without exceptions
    cxa_demangle.cpp | random.cpp | stdlib_new_delete.cpp) ;;   # own/demangle.cpp, own/random_device.cpp, mimalloc
    *) [[ " ${fast[*]} " == *" $file "* ]] || small+=("$file") ;;
  esac
done
archive cxx -Os "${flags[@]}" -- "${small[@]}"
archive cxx -O2 "${flags[@]}" -- "${fast[@]}"  # with the objects of those before
