import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { sqlTruth } from '../../cli/demo/sql-truth.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { packageFile } from '../../runtime/package-root.js';
import { skipUnless } from '../support/skip-unless.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import { cellDifferences, eachRecord, liveCells, startWorker } from '../support/stream.js';
import type { Cells } from '../support/stream.js';
import { untilCounted } from '../support/stream.js';
import { accessLogTruth } from '../tail/support/access-log-truth.js';
import { RotatingWriter } from '../tail/support/rotating-writer.js';
import { torture } from '../tail/support/torture.js';

const DATA = join(packageFile(), '..', 'shared', 'data');
const APACHE = join(DATA, 'apache_access.log');
const TALKINGDATA = join(DATA, 'talkingdata_clicks_100k.csv');
const onApache = skipUnless(existsSync(APACHE), 'the Apache log is not beside this checkout');
const onTalkingData = skipUnless(
  existsSync(TALKINGDATA),
  'the TalkingData sample is not beside this checkout (shared/data); its licence keeps it out',
);

const ROTATIONS = 50;
const KILLS = 20;

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'truecount-tail-'));
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

interface Input {
  readonly content: Buffer;
  readonly header?: string;
  readonly format: string;
  readonly mapping: string;
  readonly seed: number;
}

interface OnTopic {
  readonly records: number;
  readonly distinct: number;
  /** Ids that two different records have. */
  readonly ambiguous: number;
}

/** What is on the topic, by id. */
async function idsOn(topic: string): Promise<OnTopic> {
  const byId = new Map<string, string>();
  let records = 0;
  let ambiguous = 0;
  await eachRecord(kafkaBrokers(), topic, ({ value }) => {
    const text = value!.toString();
    const { event_id: id } = JSON.parse(text) as { event_id: string };
    records += 1;
    if ((byId.get(id) ?? text) !== text) ambiguous += 1;
    byId.set(id, text);
  });
  return { records, distinct: byId.size, ambiguous };
}

function rejectedLines(): Set<string> {
  const file = join(home, 'tail', 'state.json.rejects.ndjson');
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  return new Set(kept.map((line) => (JSON.parse(line) as { text: string }).text));
}

/** Writes, rotates, kills; then compares ids on the topic and cells in Postgres with the truth. */
async function run(input: Input, lines: number, truth: Cells): Promise<void> {
  const startedMs = performance.now();
  const all = [...truth].filter(([cell]) => cell.endsWith('|'));
  const clicks = all.reduce((sum, [, n]) => sum + n, 0);
  const topic = await freshTopic(4);
  const database = await freshDatabase();
  const worker = startWorker(kafkaBrokers(), database, [topic]);
  try {
    const folder = join(home, 'logs');
    const writer = new RotatingWriter({ ...input, folder, rotations: ROTATIONS });
    const args = [folder, '--format', input.format, '--mapping', packageFile(input.mapping)];
    args.push('--grace-ms', '500');
    await torture(writer, { home, brokers: kafkaBrokers(), topic, args }, KILLS, input.seed);
    expect(writer.rotated).toBe(ROTATIONS);
    const rejected = rejectedLines();
    const { records, distinct, ambiguous } = await idsOn(topic);
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const differences = cellDifferences(await liveCells(database.pool), truth);
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    console.log(
      `tail, ${input.format}: ${String(lines)} lines in ${String(ROTATIONS + 1)} files, ` +
        `${String(writer.compressed)} of them gz by the end; killed ${String(KILLS)} times; ` +
        `${String(records)} records, ${String(distinct)} distinct, ${String(rejected.size)} lines ` +
        `rejected; ${String(truth.size)} cells, ${String(differences.length)} different; ` +
        `${String(seconds)} s`,
    );
    expect({ distinct, ambiguous }).toEqual({ distinct: clicks, ambiguous: 0 });
    expect(rejected.size).toBe(lines - clicks);
    expect(differences).toEqual([]);
    expect(records, 'kills that hit work in flight').toBeGreaterThan(distinct);
  } finally {
    await worker.stop();
    await database.close();
  }
}

describe('a log that rotates 50 times through a tail that is killed 20 times', () => {
  onApache('counts each request of the Apache log once', async () => {
    await run(
      {
        content: readFileSync(APACHE),
        format: 'combined-log',
        mapping: 'examples/apache.mapping.yaml',
        seed: 50,
      },
      10_000,
      await accessLogTruth(APACHE),
    );
  });

  onTalkingData('counts each click of the TalkingData sample once', async () => {
    const text = readFileSync(TALKINGDATA);
    const end = text.indexOf('\n');
    const mapping = 'examples/talkingdata.mapping.yaml';
    const parsed = parseMapping(readFileSync(packageFile(mapping), 'utf8'), mapping);
    await run(
      {
        content: text.subarray(end + 1),
        header: text.subarray(0, end).toString().trim(),
        format: 'csv',
        mapping,
        seed: 51,
      },
      100_000,
      await sqlTruth(TALKINGDATA, 'csv', parsed),
    );
  });
});
