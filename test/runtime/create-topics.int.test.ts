import { expect, it } from 'vitest';
import { createTopics } from '../../runtime/create-topics.js';
import { topicEnds } from '../../runtime/topic-ends.js';
import { testKafka } from '../support/stack.js';

const name = (what: string): string => `${what}-${String(process.pid)}`;

it('topics can be used as soon as they are created', async () => {
  const kafka = testKafka();
  const producer = kafka.producer();
  await producer.connect();
  try {
    for (let n = 0; n < 10; n++) {
      const topic = name(`new-${String(n)}`);
      await createTopics(kafka, [{ topic, numPartitions: 20, replicationFactor: -1 }]);
      const messages = Array.from({ length: 20 }, (_, partition) => ({ partition, value: 'x' }));
      expect(await producer.send({ topic, messages })).toHaveLength(20);
    }
  } finally {
    await producer.disconnect();
  }
});

it('a topic that brokers have not heard of is waited for only where it was just created', async () => {
  const topic = name('later');
  const patient = topicEnds(testKafka(), topic, { justCreated: true });
  await expect(topicEnds(testKafka(), topic)).rejects.toThrow('does not host this topic-partition');
  await createTopics(testKafka(), [{ topic, numPartitions: 2, replicationFactor: -1 }]);
  expect((await patient).map(({ endOffset }) => endOffset)).toEqual([0, 0]);
});
