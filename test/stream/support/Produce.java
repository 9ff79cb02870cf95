import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends `count` records to partition 0 with each codec in turn: java Produce.java brokers topic count codec... */
public class Produce {
  public static void main(String[] args) throws Exception {
    int count = Integer.parseInt(args[2]);
    for (int at = 3; at < args.length; at++) {
      Properties settings = new Properties();
      settings.put("bootstrap.servers", args[0]);
      settings.put("compression.type", args[at]);
      settings.put("linger.ms", "200");
      settings.put("batch.size", "300000");
      StringSerializer text = new StringSerializer();
      try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, text, text)) {
        for (int i = 0; i < count; i++) {
          String value = args[at] + "-" + i + "-" + "click ".repeat(i % 50);
          producer.send(new ProducerRecord<>(args[1], 0, i % 3 == 0 ? null : "key-" + i, value));
        }
      }
    }
  }
}
