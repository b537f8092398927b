dir=$tree/libraries/liblmdb
archive lmdb -O2 -- "$dir/mdb.c" "$dir/midl.c"
cp "$dir/lmdb.h" "$prefix/include/"
