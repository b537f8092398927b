#!/usr/bin/env bash
# Certificates for tests, into DIRECTORY: an authority (ca.pem), a server for localhost, 127.0.0.1,
# 10.0.2.2 (how a virtual machine calls its host) and *.s3.localhost (server.pem, server.key), the same not valid yet (future.pem), and a client
# (client.pem, client.key).
#   make_certs.sh DIRECTORY
set -euo pipefail
cd "$1"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
# sign NAME CN EXTENSION [FAKETIME]
sign() {
  openssl req -new -key "${5:-$1}.key" -subj "/CN=$2" -out request.pem 2>/dev/null
  LD_PRELOAD=${4:+$faketime} FAKETIME=${4:-} openssl x509 -req -in request.pem -CA ca.pem \
    -CAkey ca.key -CAcreateserial -days 30 -extfile <(printf '%s\n' "$3") -out "$1.pem" 2>/dev/null
  rm request.pem
}
faketime=$(echo /usr/lib/*/faketime/libfaketime.so.1)
names="subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.0.2.2,DNS:s3.localhost,DNS:*.s3.localhost"

for name in ca server client; do key $name.key; done
openssl req -x509 -new -key ca.key -subj "/CN=edgehose test authority" -days 30 -out ca.pem
sign server localhost "$names"
sign client device-0042 "extendedKeyUsage=clientAuth"
sign future localhost "$names" "+400d" server
