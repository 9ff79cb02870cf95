import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { readCsv, readNdjson } from '../../ingest/formats/read-items.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { ingestItems } from '../../ingest/ingest.js';
import type { IngestResult } from '../../ingest/ingest.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { partitionOf } from '../../ingest/partitioner.js';
import { ClickProducer } from '../../ingest/producer.js';
import { freshTopic, testKafka } from '../support/stack.js';
import { until } from '../support/until.js';

async function send(
  topic: string,
  items: AsyncIterable<SourceItem>,
  compression: 'none' | 'gzip' = 'none',
): Promise<IngestResult> {
  const producer = await ClickProducer.connect(testKafka(), { topic, compression });
  try {
    return await ingestItems(items, producer);
  } finally {
    await producer.close();
  }
}

interface LogRecord {
  readonly key: string;
  readonly value: Buffer;
}

let readers = 0;

/** All records of a topic, per partition in offset order. */
async function readBack(topic: string): Promise<LogRecord[][]> {
  const admin = testKafka().admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const log: LogRecord[][] = offsets.map(() => []);
  const expected = offsets.reduce((sum, { high }) => sum + Number(high), 0);
  const consumer = testKafka().consumer({ groupId: `${topic}-reader-${++readers}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ partition, message }) => {
      log[partition]!.push({ key: String(message.key), value: message.value! });
      return Promise.resolve();
    },
  });
  await until('all records were read back', () => log.flat().length >= expected);
  await consumer.disconnect();
  return log;
}

async function* file(text: string | Buffer): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

function ids(log: readonly LogRecord[][]): string[] {
  const records = log.flat();
  return records.map(
    ({ value }) => (JSON.parse(value.toString()) as { event_id: string }).event_id,
  );
}

describe('ingestItems with a ClickProducer', () => {
  it.each(['none', 'gzip'] as const)(
    'puts every line of a file on the log, per partition in file order (compression %s)',
    async (compression) => {
      const topic = await freshTopic(3);
      const lines = Array.from(generateClicks({ clicks: 20_000, seed: 21 }), ({ line }) =>
        Buffer.from(line),
      );
      const whole = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
      const result = await send(topic, readNdjson(file(whole)), compression);
      expect(result).toMatchObject({ sent: 20_000, rejected: 0, rejections: [] });

      const sent: string[][] = [[], [], []];
      for await (const item of readNdjson(file(whole))) {
        if (item.kind === 'record') {
          sent[partitionOf(item.key, 3)]!.push(
            `${item.key.toString()} ${item.bytes.toString('hex')}`,
          );
        }
      }
      const read = (await readBack(topic)).map((records) =>
        records.map(({ key, value }) => `${key} ${value.toString('hex')}`),
      );
      expect(read.map(({ length }) => length)).toEqual(sent.map(({ length }) => length));
      expect(read).toEqual(sent);
      expect(Math.min(...sent.map(({ length }) => length))).toBeGreaterThan(0);
    },
  );

  it('sends the same ids again when a file without ids is ingested twice', async () => {
    const topic = await freshTopic(2);
    const mapping = parseMapping(
      'event_id: {position: true}\nad_id: {column: ad}\ntimestamp: {column: at, format: epoch_ms}',
      'test',
    );
    const rows = Array.from(
      { length: 500 },
      (_, i) => `ad${i % 7},${1_700_000_000_000 + (i % 50)}`,
    );
    const csv = ['ad,at', ...rows, 'ad1,yesterday', ''].join('\n');
    const first = await send(topic, readCsv(file(csv), mapping));
    expect(first).toMatchObject({ sent: 500, rejected: 1, rejections: [{ line: 502 }] });
    const once = ids(await readBack(topic));
    expect(new Set(once).size).toBe(500);
    await send(topic, readCsv(file(csv), mapping));
    const twice = ids(await readBack(topic));
    expect(twice.length).toBe(1_000);
    expect(new Set(twice)).toEqual(new Set(once));
  });

  it('sends records as large as a broker takes by default', async () => {
    const topic = await freshTopic(1);
    const text = Array.from({ length: 5 }, (_, i) => String(i).repeat(1_000_000)).join('\n');
    expect(await send(topic, readNdjson(file(text)))).toMatchObject({ sent: 5, rejected: 0 });
    const [records] = await readBack(topic);
    expect(records!.map(({ value }) => value.length)).toEqual(Array(5).fill(1_000_000));
  });

  it('says so when the topic does not exist', async () => {
    const connecting = ClickProducer.connect(testKafka(), { topic: 'no-such-topic' });
    await expect(connecting).rejects.toMatchObject({ code: 'not_found' });
  });

  it('says so when no broker answers', async () => {
    const nowhere = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING });
    const connecting = ClickProducer.connect(nowhere, { topic: 'clicks' });
    await expect(connecting).rejects.toMatchObject({ code: 'dependency_unreachable' });
  });
});
