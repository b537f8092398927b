# TLS 1.2 and 1.3 with what Debian's own build allows (security level 2), the ciphers of keys and buffers;
# no modules, engines or configuration from the disk of a system that this binary knows nothing about.
size=-Os
[ "$arch" = riscv64 ] && size=-O2  # has no assembly there

from=$build/from
cp -rs "$tree" "$from"
# edit FILE CODE: as the Perl CODE changes it, in that copy; where it finds nothing to change, this is another OpenSSL.
edit() {
  rm "$from/$1"
  perl -0pe "\$found = $2; END { die qq($1 is not as expected\n) unless \$found }" "$tree/$1" >"$from/$1"
}
# without FILE REGEX: FILE without the entries of tables that have that.
without() { edit "$1" "s/^ *(?:\{ |ALGC?\(|DECODER\w*\()(?:(?!^ *(?:\{|ALG|DECODER|#)).)*?(?:$2).*?[})],\n//msg"; }

# The provider has tables of all that it can do, so the linker leaves nothing of it out: here neither TLS, nor keys in
# files, nor buffers have use for these.
modes='aes\d+(ccm|cbc_cts|ofb|cfb\d?|xts|wrap\w*|cbc_hmac\w*)'
hashes='(sha3_\d+|keccak_kmac_\d+|shake_\d+|kmac\d+|gmac)'
derivations='kdf_(sskdf|pkcs12|sshkdf|x963_kdf|kbkdf|x942_kdf|krb5kdf|\w+_keyexch)'
others='(x448|ed448|drbg_hash|drbg_ossl_hmac|test_rng)\w*'
others+='|mac_legacy_(siphash|poly1305)_signature'
without providers/defltprov.c "ossl_($modes|$hashes|$derivations|$others)_functions"
sed -i '/#include "\(encoders\|stores\)\.inc"/d' "$from/providers/defltprov.c"
without providers/decoders.inc 'DHX|"X448|"ED448|msblob|pvk'
without crypto/provider_predefined.c 'ossl_(base|null)_provider_init'

# P-256's 2,368 multiples of its base point, 150 KB, make a step of a handshake faster that it has once
# or twice. Without them that point is multiplied as every other one is.
for file in "$tree"/crypto/ec/asm/ecp_nistz256-{x86_64,armv4,armv8}.pl; do
  edit "crypto/ec/asm/${file##*/}" 's/^(?:for\(1\.\.37\)|while \(\@line=splice\(\@arr,0,16\)\))/for (1..0)/m &&
    s/^\.align\t(?:12|4096)\n(?=ecp_nistz256_precomputed:)//m'
done
edit crypto/ec/ecp_nistz256.c 's/preComputedTable == NULL && ecp_nistz256_is_affine_G\(generator\)/0/'

cd "$build" || exit
"$from/Configure" "$openssl" --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl \
  no-shared no-pic no-module no-dso no-engine no-afalgeng no-legacy no-autoload-config no-async no-tests no-ui-console \
  no-comp no-filenames no-nextprotoneg no-ocsp no-rfc3779 no-cms no-cmp no-ts no-ct no-srp no-srtp no-dtls \
  no-ssl3 no-tls1 no-tls1_1 no-weak-ssl-ciphers \
  no-aria no-bf no-blake2 no-camellia no-cast no-cmac no-des no-dsa no-ec2m no-gost no-idea no-md4 no-mdc2 no-ocb \
  no-rc2 no-rc4 no-rc5 \
  no-multiblock no-rmd160 no-seed no-siv no-sm2 no-sm3 no-sm4 no-whirlpool no-siphash no-scrypt no-psk \
  -DOPENSSL_TLS_SECURITY_LEVEL=2 $size -ffunction-sections -fdata-sections
# Configure's own -O3 comes first; the last one counts.
make -j "$jobs" build_libs
make install_dev
