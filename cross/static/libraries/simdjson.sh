# Without the variant for AVX-512, a sixth of it all: few devices have that.
archive simdjson -std=c++17 -O2 -DNDEBUG -DSIMDJSON_THREADS_ENABLED=1 -DSIMDJSON_IMPLEMENTATION_ICELAKE=0 \
  -I"$tree/include" -I"$tree/src" -- "$tree/src/simdjson.cpp"
cp -r "$tree"/include/simdjson{,.h} "$prefix/include/"
package simdjson
