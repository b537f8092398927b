files=("$tree"/lib/{common,compress,decompress}/*.c)
[ "$arch" = amd64 ] && files+=("$tree"/lib/decompress/huf_decompress_amd64.S)
archive zstd -O2 -DZSTD_LEGACY_SUPPORT=0 -DXXH_NAMESPACE=ZSTD_ -- "${files[@]}"
cp "$tree"/lib/zstd{,_errors}.h "$prefix/include/"
package libzstd
