import { describe, expect, it } from 'vitest';
import { readLogEnds } from '../../runtime/log-end.js';
import { kafkaBrokers, testKafka } from '../support/stack.js';
import { until } from '../support/until.js';

describe('the ends of the log', () => {
  // Brokers name a leader before that leader answers: half of the topics here were refused.
  it('are known of topics that were just created', async () => {
    const admin = testKafka().admin();
    await admin.connect();
    for (let n = 0; n < 20; n++) {
      const topic = `just-created-${String(process.pid)}-${String(n)}`;
      const made = { topic, numPartitions: 8, replicationFactor: -1 };
      await admin.createTopics({ waitForLeaders: false, topics: [made] });
      await until(`${topic} is there`, async () => (await admin.listTopics()).includes(topic));
      const ends = await readLogEnds({ brokers: kafkaBrokers() }, [topic]);
      expect(ends.map(({ endOffset }) => endOffset)).toEqual(Array.from({ length: 8 }, () => 0));
    }
    await admin.disconnect();
  });
});
