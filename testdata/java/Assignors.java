import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Plans with the assignors of Kafka's own consumer. A case is lines of words:
 *
 *   plan STRATEGY
 *   topic NAME RACKS...         one word a partition: its racks with commas, "-" for none
 *   member ID GENERATION RACK TOPICS USERDATA OWNED...    lists with commas, "-" for none, OWNED is TOPIC:PARTITIONS
 *   end
 *
 * and its answer is lines "ID TOPIC:PARTITIONS...", sorted, and "end".
 */
public class Assignors {
    private static final String NONE = "-";

    private final Map<String, Integer> racks = new HashMap<>();
    private final Map<String, List<String>> topics = new LinkedHashMap<>();
    private final Map<String, Subscription> members = new HashMap<>();
    private String strategy;

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Assignors current = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "plan":
                    current = new Assignors();
                    current.strategy = words[1];
                    break;
                case "topic":
                    List<String> partitions = new ArrayList<>();
                    for (int i = 2; i < words.length; i++)
                        partitions.add(words[i]);
                    current.topics.put(words[1], partitions);
                    break;
                case "member":
                    current.member(words);
                    break;
                case "end":
                    current.answer(out);
                    break;
                default:
                    throw new IllegalArgumentException(line);
            }
        }
        out.flush();
    }

    private static List<String> list(String word) {
        return word.equals(NONE) ? Collections.emptyList() : List.of(word.split(","));
    }

    private void member(String[] words) {
        List<TopicPartition> owned = new ArrayList<>();
        for (int i = 6; i < words.length; i++) {
            int colon = words[i].indexOf(':');
            for (String partition : list(words[i].substring(colon + 1)))
                owned.add(new TopicPartition(words[i].substring(0, colon), Integer.parseInt(partition)));
        }
        Optional<String> rack = words[3].equals(NONE) ? Optional.empty() : Optional.of(words[3]);
        ByteBuffer data = words[5].equals(NONE) ? null : ByteBuffer.wrap(HexFormat.of().parseHex(words[5]));
        members.put(words[1], new Subscription(list(words[4]), data, owned, Integer.parseInt(words[2]), rack));
    }

    private Node[] replicas(String word) {
        if (word.equals(NONE))
            return new Node[] {new Node(0, "h", 1)};
        List<Node> nodes = new ArrayList<>();
        for (String rack : list(word))
            nodes.add(new Node(racks.computeIfAbsent(rack, r -> racks.size() + 1), "h", 1, rack));
        return nodes.toArray(new Node[0]);
    }

    private void answer(PrintStream out) {
        List<PartitionInfo> infos = new ArrayList<>();
        Map<Integer, Node> nodes = new TreeMap<>();
        topics.forEach((topic, words) -> {
            for (int p = 0; p < words.size(); p++) {
                Node[] replicas = replicas(words.get(p));
                infos.add(new PartitionInfo(topic, p, replicas[0], replicas, replicas));
                for (Node node : replicas)
                    nodes.put(node.id(), node);
            }
        });
        Cluster cluster = new Cluster("c", nodes.values(), infos, new HashSet<>(), new HashSet<>());
        Map<String, Assignment> plan;
        try {
            plan = new TreeMap<>(assignor().assign(cluster, new GroupSubscription(members)).groupAssignment());
        } catch (RuntimeException e) {
            out.println("failed " + e.getClass().getSimpleName());
            out.println("end");
            return;
        }
        plan.forEach((member, assignment) -> {
            Map<String, List<Integer>> byTopic = new TreeMap<>();
            for (TopicPartition tp : assignment.partitions())
                byTopic.computeIfAbsent(tp.topic(), t -> new ArrayList<>()).add(tp.partition());
            StringBuilder line = new StringBuilder(member);
            byTopic.forEach((topic, partitions) -> {
                line.append(' ').append(topic).append(':');
                Collections.sort(partitions);
                String comma = "";
                for (int p : partitions) {
                    line.append(comma).append(p);
                    comma = ",";
                }
            });
            out.println(line);
        });
        out.println("end");
    }

    private ConsumerPartitionAssignor assignor() {
        switch (strategy) {
            case "range":
                return new RangeAssignor();
            case "roundrobin":
                return new RoundRobinAssignor();
            case "sticky":
                return new StickyAssignor();
            case "cooperative-sticky":
                return new CooperativeStickyAssignor();
            default:
                throw new IllegalArgumentException(strategy);
        }
    }
}
