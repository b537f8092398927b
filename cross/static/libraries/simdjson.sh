archive simdjson -std=c++17 -O2 -DNDEBUG -DSIMDJSON_THREADS_ENABLED=1 -I"$tree/include" -I"$tree/src" -- \
  "$tree/src/simdjson.cpp"
cp -r "$tree"/include/simdjson{,.h} "$prefix/include/"
package simdjson
