#include "sinks/object/s3ec/keys.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstring>

#include "agent/base/base64.h"
#include "sinks/object/crypto/openssl.h"

namespace edgehose::s3ec {
namespace {

using PkeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslFreer<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
struct BioFreer {
  void operator()(BIO* p) const { BIO_free(p); }
};
using BioPtr = std::unique_ptr<BIO, BioFreer>;

constexpr std::size_t kWrapNonceBytes = 12;

Pkey own(EVP_PKEY* key) {
  ERR_clear_error();
  return {key, EVP_PKEY_free};
}

BioPtr reading(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// In place of OpenSSL's own, which asks on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

Status check_rsa(const Pkey& key) {
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
    return fail(ErrorCode::kInvalid,
                "it is not an RSA key: the S3 Encryption Client takes no others");
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < kMinRsaBits || bits > kMaxRsaBits)
    return fail(ErrorCode::kInvalid, "the RSA key has {} bits: it must have {} to {}", bits,
                kMinRsaBits, kMaxRsaBits);
  return {};
}

using PkeyStep = int (*)(EVP_PKEY_CTX*);
using PkeyWork = int (*)(EVP_PKEY_CTX*, unsigned char*, std::size_t*, const unsigned char*,
                         std::size_t);

// Empty where OpenSSL says no: what was encrypted never is.
std::string oaep(const Pkey& key, std::string_view in, PkeyStep begin, PkeyWork work) {
  const PkeyContextPtr context(EVP_PKEY_CTX_new(key.get(), nullptr));
  std::size_t size = 0;
  std::string out;
  if (context && begin(context.get()) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha1()) == 1 &&
      EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha1()) == 1 &&
      work(context.get(), nullptr, &size, octets(in), in.size()) == 1) {
    out.resize(size);
    const bool done = work(context.get(), octets(out), &size, octets(in), in.size()) == 1;
    out.resize(done ? size : 0);
  }
  ERR_clear_error();
  return out;
}

}  // namespace

Result<std::string> rsa_public_key(std::string_view pem) {
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    return fail(ErrorCode::kInvalid,
                "it is a private key: give the public one (openssl pkey -pubout), so that this "
                "device cannot read what it wrote");
  const BioPtr in = reading(pem);
  const Pkey key = own(PEM_read_bio_PUBKEY(in.get(), nullptr, no_passphrase, nullptr));
  if (!key)
    return fail(ErrorCode::kInvalid,
                "it is no public key in PEM (\"-----BEGIN PUBLIC KEY-----\"): openssl pkey -in "
                "private.pem -pubout makes one");
  EH_TRY(check_rsa(key));
  std::string der(static_cast<std::size_t>(i2d_PUBKEY(key.get(), nullptr)), '\0');
  unsigned char* at = octets(der);
  i2d_PUBKEY(key.get(), &at);
  return der;
}

Result<DataKey> aes_key(std::string_view content) {
  DataKey key;
  const auto take = [&key](std::string_view bytes) {
    const bool fits = bytes.size() == key.bytes.size();
    if (fits) std::memcpy(key.bytes.data(), bytes.data(), bytes.size());
    return fits;
  };
  if (take(content)) return key;
  std::string_view line = content;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (auto decoded = decode_base64(line, true)) {
    const bool fits = take(*decoded);
    wipe(*decoded);
    if (fits) return key;
  }
  return fail(ErrorCode::kInvalid,
              "it must hold 32 bytes, or their base64 (openssl rand -base64 32), and has {} bytes",
              content.size());
}

Result<WrappingKey> WrappingKey::rsa(std::string_view der) {
  WrappingKey made;
  const unsigned char* at = octets(der);
  made.rsa_ = own(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!made.rsa_ || at != octets(der) + der.size())
    return fail(ErrorCode::kInvalid, "the RSA public key ({} bytes) is damaged", der.size());
  EH_TRY(check_rsa(made.rsa_));
  return made;
}

WrappingKey WrappingKey::aes(const DataKey& key) {
  WrappingKey made;
  made.aes_ = key;
  return made;
}

Result<std::string> WrappingKey::wrap(Format format, const DataKey& data_key) const {
  const std::string_view algorithm = content_algorithm(format);
  if (rsa_) {
    std::string plain(1, static_cast<char>(data_key.bytes.size()));
    plain.reserve(1 + data_key.bytes.size() + algorithm.size());
    plain.append(data_key.view()).append(algorithm);
    std::string wrapped = oaep(rsa_, plain, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt);
    wipe(plain);
    if (wrapped.empty()) return crypto_failed("RSA-OAEP");
    return wrapped;
  }
  std::string wrapped(kWrapNonceBytes + data_key.bytes.size(), '\0');
  EH_TRY(random_bytes(octets(wrapped), kWrapNonceBytes));
  EH_ASSIGN(Gcm gcm,
            Gcm::make(Gcm::Mode::kSeal, aes_, wrapped.substr(0, kWrapNonceBytes), algorithm));
  EH_TRY(gcm.update(data_key.view(), wrapped.data() + kWrapNonceBytes));
  EH_ASSIGN(const std::string tag, gcm.tag());
  return wrapped + tag;
}

Result<UnwrappingKey> UnwrappingKey::parse(std::string_view content) {
  UnwrappingKey made;
  if (content.find("-----BEGIN ") == std::string_view::npos) {
    auto key = s3ec::aes_key(content);
    if (!key)
      return fail(ErrorCode::kInvalid, "it is neither a private key in PEM nor an AES key: {}",
                  key.error().message);
    made.aes_ = *key;
    return made;
  }
  const BioPtr in = reading(content);
  made.rsa_ = own(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  if (!made.rsa_ && content.find("ENCRYPTED") != std::string_view::npos)
    return fail(ErrorCode::kInvalid,
                "it has a passphrase: give a copy without one (openssl pkey -in FILE)");
  if (!made.rsa_)
    return fail(ErrorCode::kInvalid,
                "it is no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")");
  EH_TRY(check_rsa(made.rsa_));
  return made;
}

Result<DataKey> UnwrappingKey::unwrap(const Envelope& envelope) const {
  const auto wrong = [] { return fail(ErrorCode::kAuth, "this key does not open it"); };
  const std::string_view algorithm = content_algorithm(envelope.format);
  const std::string& wrapped = envelope.wrapped_key;
  DataKey key;
  if (envelope.wrap != kind()) return wrong();
  if (rsa_) {
    std::string plain = oaep(rsa_, wrapped, EVP_PKEY_decrypt_init, EVP_PKEY_decrypt);
    if (plain.empty()) return wrong();
    const bool good = plain.size() == 1 + key.bytes.size() + algorithm.size() &&
                      plain[0] == static_cast<char>(key.bytes.size()) && plain.ends_with(algorithm);
    if (good) std::memcpy(key.bytes.data(), plain.data() + 1, key.bytes.size());
    wipe(plain);
    if (good) return key;
    return fail(ErrorCode::kCorrupt, "what was wrapped by RSA is not an AES-256 key for {}",
                algorithm);
  }
  if (wrapped.size() != kWrapNonceBytes + key.bytes.size() + kTagBytes)
    return fail(ErrorCode::kCorrupt, "the wrapped key has {} bytes: an AES-256 key has {}",
                wrapped.size(), kWrapNonceBytes + key.bytes.size() + kTagBytes);
  const std::string_view all(wrapped);
  EH_ASSIGN(Gcm gcm, Gcm::make(Gcm::Mode::kOpen, aes_, all.substr(0, kWrapNonceBytes), algorithm));
  EH_TRY(gcm.update(all.substr(kWrapNonceBytes, key.bytes.size()),
                    reinterpret_cast<char*>(key.bytes.data())));
  EH_ASSIGN(const bool fits, gcm.verify(all.substr(all.size() - kTagBytes)));
  if (!fits) return wrong();
  return key;
}

}  // namespace edgehose::s3ec
