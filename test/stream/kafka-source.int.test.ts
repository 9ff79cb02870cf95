import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { javaCommand, kafkaJars } from '../../runtime/stack/kafka-jars.js';
import { partitionKey } from '../../core/position.js';
import { freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';
import { until } from '../support/until.js';
import { Recorder, startMember } from './support/recorder.js';
import type { Member, Positions } from './support/recorder.js';

const brokers = kafkaBrokers();
const kafka = testKafka();
let admin: Admin;
const members: Member[] = [];

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.stop()));
});

function join(topic: string, groupId: string, handler: Recorder): Member {
  const member = startMember({ kafka: { brokers }, groupId, topics: [topic] }, handler);
  members.push(member);
  return member;
}

async function send(topic: string, values: (string | null)[], partition = 0): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({
      topic,
      messages: values.map((value) => ({ value, partition })),
    });
  } finally {
    await producer.disconnect();
  }
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
}

describe('reading', () => {
  test('gives every record once, in order, and says when the end is reached', async () => {
    const topic = await freshTopic();
    await send(topic, [...numbered('a', 500), null, '']);
    const recorder = new Recorder();
    const member = join(topic, randomUUID(), recorder);
    await until('the end at 502', () => recorder.ended.get(`${topic}/0`) === 502);
    await send(topic, ['later']);
    await until('the end at 503', () => recorder.ended.get(`${topic}/0`) === 503);
    expect(recorder.values).toEqual([...numbered('a', 500), null, '', 'later']);
    expect(recorder.faults).toEqual([]);
    expect(recorder.assignments).toBe(1);
    expect(await member.stop()).toBeUndefined();
    expect(recorder.revocations).toBe(1);
  });

  test('goes on at the positions of the handler, whatever the group has committed', async () => {
    const topic = await freshTopic();
    await send(topic, numbered('a', 100));
    const groupId = randomUUID();
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '10' }] });
    const positions: Positions = new Map([[`${topic}/0`, 40]]);
    const recorder = new Recorder(positions);
    join(topic, groupId, recorder);
    await until('the end', () => recorder.ended.has(`${topic}/0`));
    expect(recorder.offsets[0]).toBe(40);
    expect(recorder.offsets).toHaveLength(60);
    expect(recorder.jumps).toEqual([]);
  });

  test('batches of the Java producer in every codec are read as they were sent', async () => {
    const topic = await freshTopic();
    const jars = await kafkaJars(() => undefined);
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
    const source = new URL('./support/Produce.java', import.meta.url).pathname;
    const args = ['-cp', `${jars}/*`, source, brokers.join(','), topic, '3000', ...codecs];
    await promisify(execFile)(javaCommand(), args);
    const recorder = new Recorder();
    join(topic, randomUUID(), recorder);
    await until('the end at 15,000', () => recorder.ended.get(`${topic}/0`) === 15_000, {
      deadlineMs: 30_000,
    });
    const expected = codecs.flatMap((codec) =>
      Array.from({ length: 3000 }, (_, i) => `${codec}-${String(i)}-${'click '.repeat(i % 50)}`),
    );
    expect(recorder.values).toEqual(expected);
  });

  test('aborted records and markers come as ranges without records', async () => {
    const topic = await freshTopic();
    const producer = kafka.producer({
      transactionalId: randomUUID(),
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    for (const [prefix, keep] of [
      ['kept', true],
      ['gone', false],
      ['also', true],
    ] as const) {
      const transaction = await producer.transaction();
      const messages = numbered(prefix, 5).map((value) => ({ value, partition: 0 }));
      await transaction.send({ topic, messages });
      await (keep ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const recorder = new Recorder();
    join(topic, randomUUID(), recorder);
    await until('the end at 18', () => recorder.ended.get(`${topic}/0`) === 18);
    expect(recorder.values).toEqual([...numbered('kept', 5), ...numbered('also', 5)]);
    expect(recorder.controls).toEqual([
      [5, 6],
      [6, 11],
      [11, 12],
      [17, 18],
    ]);
  });

  test('an ordinary consumer of the same process still gets messages', async () => {
    const topic = await freshTopic();
    await send(topic, ['x', 'y']);
    const recorder = new Recorder();
    join(topic, randomUUID(), recorder);
    const ordinary = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
    await ordinary.connect();
    await ordinary.subscribe({ topics: [topic], fromBeginning: true });
    const seen: (string | undefined)[] = [];
    await ordinary.run({
      eachMessage: ({ message }) => {
        seen.push(message.value?.toString());
        return Promise.resolve();
      },
    });
    await until('both have both', () => seen.length === 2 && recorder.values.length === 2);
    await ordinary.disconnect();
    expect(seen).toEqual(['x', 'y']);
  });
});

describe('moving', () => {
  test('a seek from inside a batch is followed', async () => {
    const topic = await freshTopic();
    await send(topic, numbered('a', 20));
    const recorder = new Recorder();
    const member = join(topic, randomUUID(), recorder);
    recorder.onBatch = () => {
      if (recorder.batches === 1) {
        recorder.positions.set(`${topic}/0`, 5);
        member.source.seek({ topic, partition: 0 }, 5);
      }
      return Promise.resolve();
    };
    await until('35 records', () => recorder.offsets.length === 35);
    await until('the end at 20', () => recorder.ended.get(`${topic}/0`) === 20);
    expect(recorder.offsets.slice(20)).toEqual(Array.from({ length: 15 }, (_, i) => 5 + i));
    expect(recorder.jumps).toEqual([]);
  });

  test('a new assignment is made on request, before the next batch', async () => {
    const topic = await freshTopic(2);
    await send(topic, numbered('a', 10));
    const recorder = new Recorder();
    const member = join(topic, randomUUID(), recorder);
    await until('10 records', () => recorder.values.length === 10);
    await member.source.rejoin();
    await until('a second assignment', () => recorder.assignments === 2);
    recorder.onBatch = () =>
      recorder.assignments === 2 ? member.source.rejoin() : Promise.resolve();
    await send(topic, numbered('b', 10));
    await until('a third assignment', () => recorder.assignments === 3);
    await send(topic, numbered('c', 10));
    await until('30 records', () => recorder.values.length === 30);
    expect(recorder.faults).toEqual([]);
    expect(recorder.jumps).toEqual([]);
  });

  test('a new assignment asked for while one is made is made next', async () => {
    const topic = await freshTopic();
    await send(topic, numbered('a', 10));
    const recorder = new Recorder();
    const groupId = randomUUID();
    const settings = { kafka: { brokers }, groupId, topics: [topic] };
    const member: Member = startMember(settings, {
      assigned: async (partitions) => {
        const given = await recorder.assigned(partitions);
        if (recorder.assignments === 1) await member.source.rejoin();
        return given;
      },
      revoking: () => recorder.revoking(),
      batch: (batch, heartbeat) => recorder.batch(batch, heartbeat),
      atEnd: (tp, offset) => {
        recorder.atEnd(tp, offset);
      },
    });
    members.push(member);
    await until('10 records', () => recorder.values.length === 10);
    expect(recorder.assignments).toBe(2);
  });

  test('records deleted before they were read show as a jump to the start of the log', async () => {
    const topic = await freshTopic();
    await send(topic, numbered('a', 30));
    const recorder = new Recorder();
    const member = join(topic, randomUUID(), recorder);
    await until('30 records', () => recorder.values.length === 30);
    await member.stop();
    await send(topic, numbered('b', 30));
    await admin.fetchTopicOffsets(topic); // kafkajs only deletes from topics that it knows
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '50' }] });
    const later = new Recorder(recorder.positions);
    join(topic, randomUUID(), later);
    await until('the end at 60', () => later.ended.get(`${topic}/0`) === 60);
    expect(later.jumps).toEqual([{ from: 30, to: 50, logStartOffset: 50 }]);
    expect(later.offsets).toEqual(Array.from({ length: 10 }, (_, i) => 50 + i));
  });

  test('a log that ends below the position stops the run with its own error', async () => {
    const topic = await freshTopic();
    await send(topic, ['a']);
    const recorder = new Recorder(new Map([[`${topic}/0`, 1000]]));
    const error = await join(topic, randomUUID(), recorder).ended;
    expect(error).toBeInstanceOf(TruecountError);
    expect((error as TruecountError).code).toBe('log_went_backwards');
    expect(recorder.batches).toBe(0);
  });
});

describe('the group', () => {
  test('two members share the partitions without loss or overlap; one leaves at once', async () => {
    const topic = await freshTopic(4);
    const groupId = randomUUID();
    const positions: Positions = new Map();
    const first = new Recorder(positions);
    join(topic, groupId, first);
    await until('the first has all partitions', () => first.owned.size === 4);
    const second = new Recorder(positions);
    const secondMember = join(topic, groupId, second);
    const sent: string[] = [];
    const sendRound = async (round: number): Promise<void> => {
      for (let partition = 0; partition < 4; partition++) {
        const values = numbered(`${String(round)}.${String(partition)}.`, 50);
        sent.push(...values);
        await send(topic, values, partition);
      }
    };
    for (let round = 0; round < 5; round++) await sendRound(round);
    await until('two partitions each', () => first.owned.size === 2 && second.owned.size === 2);
    expect(first.revocations).toBeGreaterThan(0);
    await sendRound(5);
    await until(
      'all records are read',
      () => first.values.length + second.values.length === sent.length,
    );
    const before = Date.now();
    await secondMember.stop();
    await until('the first has all partitions', () => first.owned.size === 4);
    expect(Date.now() - before).toBeLessThan(5_000);
    await sendRound(6);
    await until(
      'all records are read',
      () => first.values.length + second.values.length === sent.length,
    );
    expect([...first.values, ...second.values].sort()).toEqual(sent.sort());
    expect([...first.faults, ...second.faults]).toEqual([]);
  });

  test('a member inside a long batch learns of a rebalance from its heartbeat and goes on', async () => {
    const topic = await freshTopic(2);
    const groupId = randomUUID();
    const first = new Recorder();
    join(topic, groupId, first);
    await until('the first has all partitions', () => first.owned.size === 2);
    let left = false;
    first.onBatch = async (_batch, heartbeat) => {
      try {
        for (;;) await heartbeat().then(() => nextTurn(50));
      } finally {
        left = true;
      }
    };
    await send(topic, ['a']);
    await until('the long batch', () => first.batches === 1);
    first.onBatch = (_batch, heartbeat) => heartbeat();
    const second = new Recorder();
    join(topic, groupId, second);
    await until('one partition each', () => first.owned.size === 1 && second.owned.size === 1);
    expect(left).toBe(true);
    expect([...first.faults, ...second.faults]).toEqual([]);
  });

  test('a handler that waits longer than the session timeout keeps its partitions', async () => {
    const topic = await freshTopic();
    await send(topic, numbered('a', 10));
    const recorder = new Recorder();
    const settings = { sessionTimeoutMs: 6_000, heartbeatMs: 500 };
    const member = startMember(
      { kafka: { brokers }, groupId: randomUUID(), topics: [topic], ...settings },
      recorder,
    );
    members.push(member);
    let release: () => void = () => undefined;
    recorder.onBatch = () => new Promise((resolve) => (release = resolve));
    await until('the first batch', () => recorder.batches === 1);
    const since = Date.now();
    await until('9 s have passed', () => Date.now() - since > 9_000, { deadlineMs: 12_000 });
    recorder.onBatch = () => Promise.resolve();
    release();
    await send(topic, ['next']);
    await until('11 records', () => recorder.values.length === 11);
    expect(recorder.assignments).toBe(1);
    expect(recorder.faults).toEqual([]);
  });

  test('an error of the handler ends the run with that error and leaves the group', async () => {
    const topic = await freshTopic();
    await send(topic, ['a']);
    const groupId = randomUUID();
    const recorder = new Recorder();
    recorder.onBatch = () => Promise.reject(new TruecountError('invariant_broken', 'broken'));
    const error = await join(topic, groupId, recorder).ended;
    expect(error).toMatchObject({ code: 'invariant_broken' });
    await until('the group is empty', async () => {
      const { groups } = await admin.describeGroups([groupId]);
      return groups[0]?.members.length === 0;
    });
  });

  test('positions are reported for tools of others, and an error of it is swallowed', async () => {
    const topic = await freshTopic();
    await send(topic, numbered('a', 10));
    const groupId = randomUUID();
    const recorder = new Recorder();
    const member = join(topic, groupId, recorder);
    await until('10 records', () => recorder.values.length === 10);
    await member.source.reportCommitted(new Map([[partitionKey({ topic, partition: 0 }), 10]]));
    const [reported] = await admin.fetchOffsets({ groupId, topics: [topic] });
    expect(reported?.partitions).toMatchObject([{ partition: 0, offset: '10' }]);
    await member.stop();
    await member.source.reportCommitted(new Map([[`${topic}/0`, 10]]));
  });
});

test('waits for a topic that does not exist yet', async () => {
  const recorder = new Recorder();
  const topic = `source-${randomUUID()}`;
  join(topic, randomUUID(), recorder);
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
  await send(topic, ['a']);
  await until('a record', () => recorder.values.length === 1, { deadlineMs: 30_000 });
});
