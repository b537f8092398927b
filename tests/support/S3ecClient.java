// AWS's own S3 Encryption Client, to open what the agent delivered and to write what `edgehose
// decrypt` has to open. s3ec_client.py compiles and runs it.
//
//   java S3ecClient ENDPOINT REGION BUCKET KEY FORMAT    credentials in AWS_ACCESS_KEY_ID and so on
//     KEY     a file: a private RSA key (PKCS #8, DER), or an AES key of 32 bytes
//     FORMAT  v3, v2: what it writes; it reads both
//
// Standard input: lines "get NAME FILE" and "put NAME FILE", in which NAME has no blank. The client is
// the strict one: it opens nothing whose tag it has not checked.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.RSAPublicKeySpec;
import javax.crypto.spec.SecretKeySpec;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.encryption.s3.CommitmentPolicy;
import software.amazon.encryption.s3.S3EncryptionClient;
import software.amazon.encryption.s3.algorithms.AlgorithmSuite;

public class S3ecClient {
  private static KeyPair rsa(byte[] der) throws Exception {
    KeyFactory factory = KeyFactory.getInstance("RSA");
    RSAPrivateCrtKey secret =
        (RSAPrivateCrtKey) factory.generatePrivate(new PKCS8EncodedKeySpec(der));
    return new KeyPair(
        factory.generatePublic(new RSAPublicKeySpec(secret.getModulus(), secret.getPublicExponent())),
        secret);
  }

  private static S3Client client(String[] args) throws Exception {
    byte[] key = Files.readAllBytes(Path.of(args[3]));
    boolean v3 = args[4].equals("v3");
    S3EncryptionClient.Builder builder = S3EncryptionClient.builderV4()
        .endpointOverride(URI.create(args[0]))
        .region(Region.of(args[1]))
        .credentialsProvider(EnvironmentVariableCredentialsProvider.create())
        .forcePathStyle(true)
        .commitmentPolicy(v3 ? CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT
                             : CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
        .encryptionAlgorithm(v3 ? AlgorithmSuite.ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY
                                : AlgorithmSuite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF);
    if (key.length == 32) return builder.aesKey(new SecretKeySpec(key, "AES")).build();
    return builder.rsaKeyPair(rsa(key)).build();
  }

  public static void main(String[] args) throws Exception {
    String bucket = args[2];
    try (S3Client client = client(args);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in))) {
      for (String line; (line = lines.readLine()) != null;) {
        String[] words = line.split(" ", 3);
        Path file = Path.of(words[2]);
        if (words[0].equals("get")) {
          client.getObject(r -> r.bucket(bucket).key(words[1]), ResponseTransformer.toFile(file));
        } else {
          client.putObject(r -> r.bucket(bucket).key(words[1]), RequestBody.fromFile(file));
        }
      }
    }
    System.exit(0);  // the client's own threads may live on
  }
}
