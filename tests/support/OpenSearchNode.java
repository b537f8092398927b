// An OpenSearch node in one process, from its jars. search_install.py compiles it, and
// search_servers.py runs it.
//
//   java OpenSearchNode SETTINGS [ADDRESS]
//     SETTINGS  a file of lines NAME=VALUE, as opensearch.yml has them
//     ADDRESS   a file that appears, whole, once the node answers there: HOST:PORT. Without it the
//               node starts and ends: what an archive of its classes is made of
//
// System properties: tests.user=NAME:PASSWORD asks every request for them (basic), and
// tests.keystore=FILE, a PKCS #12 file with the password "tests", makes it speak TLS. Both are
// plugins of the kinds that its security plugin is. SIGTERM closes the node.

import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.function.UnaryOperator;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.opensearch.client.node.NodeClient;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.env.Environment;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.ingest.common.IngestCommonPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.ActionPlugin;
import org.opensearch.plugins.NetworkPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.SecureHttpTransportSettingsProvider;
import org.opensearch.plugins.SecureSettingsFactory;
import org.opensearch.plugins.SecureTransportSettingsProvider;
import org.opensearch.plugins.TransportExceptionHandler;
import org.opensearch.rest.BytesRestResponse;
import org.opensearch.rest.RestChannel;
import org.opensearch.rest.RestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.transport.Netty4Plugin;

public class OpenSearchNode extends Node {
  private OpenSearchNode(Environment environment, List<Class<? extends Plugin>> plugins) {
    super(environment, plugins, true);
  }

  /** Answers 401 as its security plugin does, where the request has not the right header. */
  public static class BasicAuth extends Plugin implements ActionPlugin {
    private static final String WANTED = "Basic " + Base64.getEncoder().encodeToString(
        System.getProperty("tests.user", "").getBytes(StandardCharsets.UTF_8));

    @Override
    public UnaryOperator<RestHandler> getRestHandlerWrapper(ThreadContext context) {
      return inner -> new RestHandler.Wrapper(inner) {
        @Override
        public void handleRequest(RestRequest request, RestChannel channel, NodeClient client)
            throws Exception {
          if (WANTED.equals(request.header("Authorization"))) {
            super.handleRequest(request, channel, client);
            return;
          }
          BytesRestResponse refusal =
              new BytesRestResponse(RestStatus.UNAUTHORIZED, "Unauthorized");
          refusal.addHeader("WWW-Authenticate", "Basic realm=\"OpenSearch Security\"");
          channel.sendResponse(refusal);
        }
      };
    }
  }

  /** The key and certificate of the key store, for HTTP only. */
  public static class Tls extends Plugin implements NetworkPlugin {
    private static SSLContext context() throws Exception {
      char[] password = "tests".toCharArray();
      KeyStore store = KeyStore.getInstance("PKCS12");
      try (InputStream file = new FileInputStream(System.getProperty("tests.keystore"))) {
        store.load(file, password);
      }
      KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
      keys.init(store, password);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys.getKeyManagers(), null, null);
      return context;
    }

    @Override
    public Optional<SecureSettingsFactory> getSecureSettingFactory(Settings settings) {
      final SSLContext context;
      try {
        context = context();
      } catch (Exception error) {
        throw new IllegalStateException("tests.keystore", error);
      }
      SecureHttpTransportSettingsProvider http = new SecureHttpTransportSettingsProvider() {
        @Override
        public Optional<TransportExceptionHandler> buildHttpServerExceptionHandler(
            Settings ignored, HttpServerTransport transport) {
          return Optional.empty();
        }

        @Override
        public Optional<SSLEngine> buildSecureHttpServerEngine(
            Settings ignored, HttpServerTransport transport) {
          SSLEngine engine = context.createSSLEngine();
          engine.setUseClientMode(false);
          return Optional.of(engine);
        }
      };
      return Optional.of(new SecureSettingsFactory() {
        @Override
        public Optional<SecureTransportSettingsProvider> getSecureTransportSettingsProvider(
            Settings ignored) {
          return Optional.empty();
        }

        @Override
        public Optional<SecureHttpTransportSettingsProvider> getSecureHttpTransportSettingsProvider(
            Settings ignored) {
          return Optional.of(http);
        }
      });
    }
  }

  private static Settings settings(String file) throws Exception {
    Properties lines = new Properties();
    try (InputStream in = new FileInputStream(file)) {
      lines.load(in);
    }
    Settings.Builder builder = Settings.builder();
    lines.forEach((name, value) -> builder.put((String) name, (String) value));
    if (System.getProperty("tests.keystore") != null) builder.put("http.type", "netty4-secure");
    return builder.build();
  }

  private static List<Class<? extends Plugin>> plugins() {
    List<Class<? extends Plugin>> plugins = new ArrayList<>(List.of(Netty4Plugin.class,
        IngestCommonPlugin.class, PainlessPlugin.class, MapperExtrasPlugin.class,
        ReindexPlugin.class));
    if (System.getProperty("tests.user") != null) plugins.add(BasicAuth.class);
    if (System.getProperty("tests.keystore") != null) plugins.add(Tls.class);
    return plugins;
  }

  public static void main(String[] args) throws Exception {
    OpenSearchNode node = new OpenSearchNode(InternalSettingsPreparer.prepareEnvironment(
        settings(args[0]), Map.of(), null, () -> "n1"), plugins());
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        node.close();
      } catch (Exception error) {
        error.printStackTrace();
      }
    }));
    node.start();
    if (args.length == 1) System.exit(0);
    tell(args[1], node.injector().getInstance(HttpServerTransport.class).boundAddress()
        .publishAddress().toString());
    Thread.currentThread().join();
  }

  private static void tell(String file, String address) throws Exception {
    Path half = Path.of(file + ".new");
    Files.writeString(half, address);
    Files.move(half, Path.of(file), StandardCopyOption.ATOMIC_MOVE);
  }
}
