# Of ours. Objects, not an archive: they are linked before something in the C and C++ libraries is looked for.
for name in cpu_model memchr robust_mutex; do
  "$CC" -O2 -ffreestanding -c "$scripts/own/$name.c" -o "$prefix/lib/$name.o"
done
for name in demangle random_device; do
  "$CXX" -std=c++20 -Os -c "$scripts/own/$name.cpp" -o "$prefix/lib/$name.o"
done
