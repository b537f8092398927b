archive deflate -O2 -I"$tree" -- "$tree"/lib/*.c "$tree"/lib/{arm,x86}/*.c
cp "$tree/libdeflate.h" "$prefix/include/"
package libdeflate
