import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The link-and-merge work of `benchmarks.peers` on Kafka Streams: the rules, the keys of the state
 * and the JSON are those of `benchmarks/quix_streams/merge.py`.
 *
 * Argument: settings as one JSON object. Prints seconds and CPU seconds from the first record to
 * the last commit as another.
 */
public final class Peer {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, String> PREFIXES = Map.of("chargebee", "cb-", "poweroffice", "go-");
    static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    static final CountDownLatch LAST_TAKEN = new CountDownLatch(1);
    static final long WAIT_MS = 1;

    static volatile KafkaStreams streams;
    static volatile long begunNanos;
    static volatile long begunCpuNanos;
    static volatile double commitsBefore;

    /** The part of a canonical event that is used. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Event(
            String type, String tenant, String system, String id, String version, ObjectNode data,
            String stamp) {}

    /** The newest content of a record; base holds the fields whose agreed value is another. */
    @JsonInclude(JsonInclude.Include.NON_EMPTY)
    static final class Side {
        public String id;
        public String version;
        public ObjectNode seen;
        public ObjectNode base = JSON.createObjectNode();
        public String stamp;
    }

    /** One record or two that are one thing. inFlight: a command has no answer yet. */
    @JsonInclude(JsonInclude.Include.NON_DEFAULT)
    static final class Link {
        public String key;
        public int seq;

        @JsonProperty("in_flight")
        public boolean inFlight;

        public Side chargebee;
        public Side poweroffice;

        Side side(String system) {
            return system.equals("chargebee") ? chargebee : poweroffice;
        }
    }

    /** One write into the other system. */
    record Command(
            String tenant,
            String entity,
            String link,
            int seq,
            String target,
            String op,
            String lane,
            String cause,
            @JsonProperty("target_id") String targetId,
            @JsonProperty("target_version") String targetVersion,
            ObjectNode fields,
            ObjectNode expected) {}

    /** Finds the link of each event, takes it, and forwards the command that follows. */
    static final class Merging implements Processor<String, byte[], String, byte[]> {
        private final int batch;
        private long left;
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> state;

        Merging(long records, int batch) {
            this.left = records;
            this.batch = batch;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            this.state = context.getStateStore("links");
        }

        @Override
        public void process(Record<String, byte[]> record) {
            if (begunNanos == 0) {
                begunCpuNanos = SYSTEM.getProcessCpuTime();
                begunNanos = System.nanoTime();
            }
            try {
                Command command = take(JSON.readValue(record.value(), Event.class));
                if (command != null) {
                    String key = command.tenant() + "/" + command.entity() + "/" + command.link();
                    byte[] value = JSON.writeValueAsBytes(command);
                    context.forward(record.withKey(key).withValue(value), command.target());
                }
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            if (--left == 0) {
                commitsBefore = commits();
                context.commit();
                LAST_TAKEN.countDown();
            } else if (left % batch == 0) {
                context.commit();
            }
        }

        private Command take(Event event) throws IOException {
            if (!event.type().equals("observed") || event.data() == null) {
                return null;
            }
            String own = "id/" + event.system() + "/" + event.id();
            byte[] key = state.get(own);
            Link link;
            if (key == null) {
                link = newcomer(event, own);
            } else {
                link = link(key);
                Side side = link.side(event.system());
                if (event.version().compareTo(side.version) <= 0) {
                    return null;
                }
                side.version = event.version();
                see(side, event.data());
            }
            Command command = plan(link, event);
            state.put("link/" + link.key, JSON.writeValueAsBytes(link));
            return command;
        }

        private Link link(byte[] key) throws IOException {
            String name = "link/" + new String(key, StandardCharsets.UTF_8);
            return JSON.readValue(Objects.requireNonNull(state.get(name), name), Link.class);
        }

        private Link newcomer(Event event, String own) throws IOException {
            boolean isOurs = event.system().equals("chargebee");
            String other = isOurs ? "poweroffice" : "chargebee";
            String number = event.data().path("organisation_number").textValue();
            byte[] key = null;
            if (event.stamp() != null && event.stamp().startsWith(PREFIXES.get(other))) {
                key = state.get("id/" + other + "/" + event.stamp().substring(3));
            }
            if (key == null) {
                key = state.get("stamp/" + PREFIXES.get(event.system()) + event.id());
            }
            if (key == null && number != null) {
                key = state.get("org/" + other + "/" + number);
            }
            Link link = key == null ? null : link(key);
            if (link == null || link.side(event.system()) != null) {
                link = new Link();
                link.key = isOurs ? event.id() : "go-" + event.id();
            }
            Side side = new Side();
            side.id = event.id();
            side.version = event.version();
            side.seen = event.data();
            side.stamp = event.stamp();
            if (isOurs) {
                link.chargebee = side;
            } else {
                link.poweroffice = side;
            }
            byte[] held = link.key.getBytes(StandardCharsets.UTF_8);
            state.put(own, held);
            if (event.stamp() != null) {
                state.put("stamp/" + event.stamp(), held);
            }
            if (number != null) {
                state.put("org/" + event.system() + "/" + number, held);
            }
            return link;
        }
    }

    /** Newer content, with the agreed value kept of each field that differs from it. */
    static void see(Side side, ObjectNode data) {
        for (Map.Entry<String, JsonNode> field : data.properties()) {
            String name = field.getKey();
            JsonNode now = field.getValue();
            JsonNode before = of(side.seen, name);
            if (now.equals(before)) {
                continue;
            }
            JsonNode agreed = side.base.get(name);
            if (agreed == null) {
                side.base.set(name, before);
            } else if (agreed.equals(now)) {
                side.base.remove(name);
            }
        }
        side.seen = data;
    }

    /** One command with the fields that changed on one side, Chargebee's where both did. */
    static Command plan(Link link, Event event) {
        Side ours = link.chargebee;
        Side theirs = link.poweroffice;
        if (ours == null || theirs == null || link.inFlight
                || (ours.base.isEmpty() && theirs.base.isEmpty())) {
            return null;
        }
        ObjectNode toTheirs = JSON.createObjectNode();
        ObjectNode toOurs = JSON.createObjectNode();
        for (Map.Entry<String, JsonNode> field : ours.seen.properties()) {
            String name = field.getKey();
            JsonNode value = of(theirs.seen, name);
            if (field.getValue().equals(value)) {
                ours.base.remove(name);
                theirs.base.remove(name);
            } else if (ours.base.has(name)) {
                toTheirs.set(name, field.getValue());
            } else if (theirs.base.has(name)) {
                toOurs.set(name, value);
            }
        }
        if (toTheirs.isEmpty() && toOurs.isEmpty()) {
            return null;
        }
        boolean isToTheirs = !toTheirs.isEmpty();
        Side side = isToTheirs ? theirs : ours;
        ObjectNode fields = isToTheirs ? toTheirs : toOurs;
        ObjectNode expected = JSON.createObjectNode();
        for (Map.Entry<String, JsonNode> field : fields.properties()) {
            expected.set(field.getKey(), of(side.seen, field.getKey()));
        }
        link.seq++;
        link.inFlight = true;
        String cause = event.tenant() + "/" + event.system() + "/customer/" + event.id() + "/"
                + event.version();
        return new Command(
                event.tenant(), "customer", link.key, link.seq,
                isToTheirs ? "poweroffice" : "chargebee", "update", "live", cause, side.id,
                side.version, fields, expected);
    }

    static JsonNode of(ObjectNode data, String name) {
        JsonNode value = data.get(name);
        return value == null ? NullNode.instance : value;
    }

    /** How often the thread that works has committed. */
    static double commits() {
        return streams.metrics().values().stream()
                .filter(each -> each.metricName().name().equals("commit-total"))
                .filter(each -> each.metricName().group().equals("stream-thread-metrics"))
                .mapToDouble(each -> (Double) each.metricValue())
                .sum();
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        JsonNode asked = JSON.readTree(arguments[0]);
        int batch = asked.get("batch").asInt();
        Topology topology = new Topology();
        topology.addSource("events", Serdes.String().deserializer(),
                Serdes.ByteArray().deserializer(), asked.get("events").asText());
        topology.addProcessor(
                "merging", () -> new Merging(asked.get("records").asLong(), batch), "events");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("links"),
                                Serdes.String(), Serdes.ByteArray())
                        .withCachingEnabled(),
                "merging");
        for (Map.Entry<String, JsonNode> each : asked.get("commands").properties()) {
            topology.addSink(each.getKey(), each.getValue().asText(),
                    Serdes.String().serializer(), Serdes.ByteArray().serializer(), "merging");
        }
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, asked.get("group").asText());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, asked.get("bootstrap").asText());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, asked.get("state_dir").asText());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 5000);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64 << 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), batch);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG),
                "earliest");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "zstd");
        streams = new KafkaStreams(topology, settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        LAST_TAKEN.await();
        while (commits() <= commitsBefore) {
            Thread.sleep(WAIT_MS);
        }
        ObjectNode spent = JSON.createObjectNode();
        spent.put("seconds", (System.nanoTime() - begunNanos) / 1e9);
        spent.put("cpu_seconds", (SYSTEM.getProcessCpuTime() - begunCpuNanos) / 1e9);
        streams.close();
        System.out.println(spent);
    }
}
