import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect } from 'vitest';
import { sqlTruth } from '../../cli/demo/sql-truth.js';
import { HOUR_MS } from '../../core/time.js';
import { readCsv } from '../../ingest/formats/read-items.js';
import { ingestItems } from '../../ingest/ingest.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { ClickProducer } from '../../ingest/producer.js';
import { packageFile } from '../../runtime/package-root.js';
import { cutHours } from '../../runtime/cut-hours.js';
import { openSession } from '../../store/session.js';
import { skipUnless } from '../support/skip-unless.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import { cellDifferences, liveCells, startWorker, untilCounted } from '../support/stream.js';

const SAMPLE = join(packageFile(), '..', 'shared', 'data', 'talkingdata_clicks_100k.csv');
const MAPPING = packageFile('examples', 'talkingdata.mapping.yaml');
const onSample = skipUnless(
  existsSync(SAMPLE),
  'the TalkingData sample is not beside this checkout (shared/data); its licence keeps it out',
);

/** Sends the file; a second time gives the same ids. */
async function ingest(topic: string): Promise<number> {
  const mapping = parseMapping(readFileSync(MAPPING, 'utf8'), MAPPING);
  const kafka = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING });
  const producer = await ClickProducer.connect(kafka, { topic, compression: 'gzip' });
  try {
    const items = readCsv(createReadStream(SAMPLE), mapping);
    return (await ingestItems(items, producer)).sent;
  } finally {
    await producer.close();
  }
}

describe('the TalkingData sample: 72 hours, shuffled', () => {
  onSample(
    'per ad, minute and filter equal to SQL on the file, before and after the cuts and re-ingests',
    async () => {
      const database = await freshDatabase();
      const topic = await freshTopic(4);
      const truth = await sqlTruth(SAMPLE, 'csv', parseMapping(readFileSync(MAPPING, 'utf8'), ''));
      const workers = [0, 1].map(() => startWorker(kafkaBrokers(), database, [topic]));
      const differences = async (): Promise<string[]> => {
        await untilCounted(database.pool, kafkaBrokers(), topic);
        return cellDifferences(await liveCells(database.pool), truth);
      };
      try {
        expect(await ingest(topic)).toBe(100_000);
        expect(await differences(), 'after the first ingest').toEqual([]);
        await ingest(topic);
        expect(await differences(), 'after the same file again').toEqual([]);

        const { rows } = await database.pool.query<{ from: Date; hours: string }>(
          'select min(hour) as from, count(*) as hours from hours',
        );
        expect(Number(rows[0]!.hours)).toBe(72);
        const session = await openSession({
          connection: { connectionString: database.url },
          applicationName: 'test-cut',
        });
        const fromMs = rows[0]!.from.getTime();
        await cutHours(session, { fromMs, toMs: fromMs + 72 * HOUR_MS }, () => undefined);
        await session.end();
        expect(await differences(), 'after the cuts').toEqual([]);

        await ingest(topic);
        expect(await differences(), 'after the file once more').toEqual([]);
        const fates = await database.pool.query<Record<string, string>>(
          'select sum(counted) as counted, sum(duplicate) as duplicate, sum(late) as late from flushes',
        );
        // The second copy came while the hours were counted, the third after their cut: late, or
        // a duplicate where a worker had not heard of the cut yet.
        const { counted, duplicate, late } = fates.rows[0]!;
        expect(Number(counted)).toBe(100_000);
        expect(Number(duplicate)).toBeGreaterThanOrEqual(100_000);
        expect(Number(late)).toBeGreaterThan(0);
        expect(Number(duplicate) + Number(late)).toBe(200_000);
      } finally {
        await Promise.all(workers.map((worker) => worker.stop()));
        await database.close();
      }
    },
  );
});
