dir=$tree/lib
flags=(-DZSTD_LEGACY_SUPPORT=0 -DXXH_NAMESPACE=ZSTD_)
# The strategies of levels above 4, a third of it all, are not for the lines that hurry.
slow=("$dir"/compress/zstd_{lazy,opt,ldm}.c)
fast=()
for file in "$dir"/{common,compress,decompress}/*.c; do
  [[ " ${slow[*]} " == *" $file "* ]] || fast+=("$file")
done
[ "$arch" = amd64 ] && fast+=("$dir/decompress/huf_decompress_amd64.S")
archive zstd -Os "${flags[@]}" -- "${slow[@]}"
archive zstd -O2 "${flags[@]}" -- "${fast[@]}"  # with the objects of those before
cp "$dir"/zstd{,_errors}.h "$prefix/include/"
package libzstd
