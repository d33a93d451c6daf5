import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.ConnectException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * java.net.http over HTTP/2: rounds of POSTs, as the lines of standard input ask for.
 *
 * <p>A line is: url workers pause body first request-timeout round-timeout (in ms)
 * failures-in-a-row. The answer is a line for each request ("ok id", "never id error", "fail id error") and
 * "end".
 */
public class Client {
    public static void main(String[] args) throws Exception {
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, new TrustManager[] {new TrustAll()}, null);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            round(line.split(" "), tls);
        }
    }

    static void round(String[] f, SSLContext tls) throws Exception {
        String url = f[0];
        int workers = Integer.parseInt(f[1]);
        long pause = Long.parseLong(f[2]);
        byte[] body = "x".repeat(Integer.parseInt(f[3])).getBytes();
        AtomicLong ids = new AtomicLong(Long.parseLong(f[4]));
        Duration requestMost = Duration.ofMillis(Long.parseLong(f[5]));
        int failMost = Integer.parseInt(f[7]);
        long end = System.nanoTime() + Long.parseLong(f[6]) * 1_000_000;
        HttpClient client =
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_2)
                        .sslContext(tls)
                        .connectTimeout(Duration.ofSeconds(2))
                        .build();
        // HTTP/2 is known of a server when its first response has come: without this one
        // each worker would dial.
        List<String> lines = Collections.synchronizedList(new ArrayList<>());
        lines.add(post(client, url, ids.incrementAndGet(), body, requestMost));

        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < workers; i++) {
            Thread t =
                    new Thread(
                            () -> {
                                int failed = 0;
                                while (failed < failMost && System.nanoTime() < end) {
                                    long id = ids.incrementAndGet();
                                    String line = post(client, url, id, body, requestMost);
                                    lines.add(line);
                                    failed = line.startsWith("ok") ? 0 : failed + 1;
                                    if (line.startsWith("never")) {
                                        return;
                                    }
                                    try {
                                        Thread.sleep(pause * (id * 6131 % 11) / 10);
                                    } catch (InterruptedException e) {
                                        return;
                                    }
                                }
                            });
            t.start();
            threads.add(t);
        }
        for (Thread t : threads) {
            t.join();
        }
        for (String line : lines) {
            System.out.println(line.replace('\n', ' '));
        }
        System.out.println("end");
        System.out.flush();
    }

    static String post(HttpClient client, String url, long id, byte[] body, Duration most) {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(url + id))
                        .timeout(most)
                        .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                        .build();
        try {
            HttpResponse<byte[]> r = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            return r.statusCode() == 200 ? "ok " + id : "fail " + id + " status " + r.statusCode();
        } catch (ConnectException e) {
            return "never " + id + " " + e;
        } catch (Exception e) {
            return "fail " + id + " " + e;
        }
    }

    /** TrustAll accepts the harness's certificate, which nobody has signed. */
    static class TrustAll extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket s) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine e) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket s) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine e) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
