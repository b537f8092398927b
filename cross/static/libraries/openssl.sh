# TLS 1.2 and 1.3 with what Debian's own build allows (security level 2), the ciphers of keys and buffers;
# no modules, engines or configuration from the disk of a system that this binary knows nothing about.
size=-Os
[ "$arch" = riscv64 ] && size=-O2  # has no assembly there
cd "$build" || exit
"$tree/Configure" "$openssl" --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl \
  no-shared no-pic no-module no-dso no-engine no-afalgeng no-legacy no-autoload-config no-async no-tests no-ui-console \
  no-comp no-filenames no-nextprotoneg no-ocsp no-rfc3779 no-cms no-cmp no-ts no-ct no-srp no-srtp no-dtls \
  no-ssl3 no-tls1 no-tls1_1 no-weak-ssl-ciphers \
  no-aria no-bf no-blake2 no-camellia no-cast no-dsa no-ec2m no-gost no-idea no-md4 no-mdc2 no-rc2 no-rc4 no-rc5 \
  no-multiblock no-rmd160 no-seed no-sm2 no-sm3 no-sm4 no-whirlpool no-siphash no-scrypt no-psk \
  -DOPENSSL_TLS_SECURITY_LEVEL=2 $size -ffunction-sections -fdata-sections
# Configure's own -O3 comes first; the last one counts.
make -j "$jobs" build_libs
make install_dev
