# Of ours. An object, not an archive: it is linked before the C library's is looked for.
"$CC" -O2 -ffreestanding -c "$scripts/memchr.c" -o "$prefix/lib/memchr.o"
