archive z -O2 -D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -DHAVE_HIDDEN -- "$tree"/*.c
cp "$tree"/{zlib,zconf}.h "$prefix/include/"
