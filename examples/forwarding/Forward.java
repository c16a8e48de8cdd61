// Takes a provider's notices and passes a copy of each on to Tillwatch. Java 17 or later, no packages: java Forward.java
//
// PORT                   where to listen (default 8000; 0 takes a free one)
// TILLWATCH_FORWARD_URL  the address that ends in /forwarded, from Settings, Callback addresses
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public class Forward {
    static final List<String> SIGNED =
        List.of("content-type", "wechatpay-", "stripe-signature", "x-webhook-signature-");
    static final long[] PAUSES_S = {1, 10, 60, 600, 0};
    static final HttpClient CLIENT = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    static final ExecutorService BESIDE = Executors.newFixedThreadPool(4);

    /** Passes a notice on, byte for byte, and tries again while Tillwatch is away. Run it beside your own answer. */
    static void forward(byte[] body, Map<String, List<String>> headers) {
        var request = HttpRequest.newBuilder(URI.create(System.getenv("TILLWATCH_FORWARD_URL")))
            .timeout(Duration.ofSeconds(5)).POST(HttpRequest.BodyPublishers.ofByteArray(body));
        headers.forEach((name, values) -> {
            if (SIGNED.stream().anyMatch(name.toLowerCase()::startsWith)) request.header(name, values.get(0));
        });
        for (long pause : PAUSES_S) {
            try {
                int status = CLIENT.send(request.build(), BodyHandlers.discarding()).statusCode();
                if (status < 300) return;
                if (status < 500 && status != 429) {
                    System.out.println("Tillwatch does not believe this notice: " + status);
                    return;
                }
            } catch (java.io.IOException away) {
                System.out.println("Tillwatch is away: " + away.getMessage());
            } catch (InterruptedException ended) {
                return;
            }
            try {
                Thread.sleep(Duration.ofSeconds(pause).toMillis());
            } catch (InterruptedException ended) {
                return;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8000"));
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            var headers = Map.copyOf(exchange.getRequestHeaders());
            BESIDE.submit(() -> forward(body, headers));
            // Here the shop's own system verifies the notice and marks the order as paid, as it did before.
            exchange.sendResponseHeaders(200, 7);
            exchange.getResponseBody().write("success".getBytes());
            exchange.close();
        });
        server.start();
        System.out.println("listens on " + server.getAddress().getPort());
    }
}
