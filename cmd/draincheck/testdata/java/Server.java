import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/**
 * A server that does nothing about being stopped, stops, or drains:
 *
 * <pre>java Server.java 8080 [stop|drain]</pre>
 */
public class Server {
  static volatile boolean draining;

  public static void main(String[] args) throws Exception {
    String way = args.length > 1 ? args[1] : "";
    var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]));
    var server = HttpServer.create(address, 128);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", exchange -> {
      exchange.getRequestBody().readAllBytes();
      if (exchange.getRequestURI().getPath().equals("/slow")) {
        sleep(2000);
      }
      byte[] body = "hello\n".getBytes();
      if (draining) {
        exchange.getResponseHeaders().set("Connection", "close");
      }
      exchange.sendResponseHeaders(200, body.length);
      try (var out = exchange.getResponseBody()) {
        out.write(body);
      }
    });
    server.start();
    if (!way.isEmpty()) {
      Runtime.getRuntime().addShutdownHook(new Thread(() -> {
        if (way.equals("drain")) {
          // Clients learn that they are to leave, while everything still works.
          draining = true;
          sleep(3000);
        }
        server.stop(10);
      }));
    }
  }

  static void sleep(int ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
