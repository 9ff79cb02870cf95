import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOUR_MS, MINUTE_MS } from '../../../core/time.js';
import { truecount, type Outcome } from '../../support/command-line.js';
import { freshDatabase, freshTopic, kafkaBrokers, type TestDatabase } from '../../support/stack.js';
import {
  endOffsets,
  produce,
  startWorker,
  untilCounted,
  type Cells,
  type LogRecord,
  type Worker,
} from '../../support/stream.js';

const START_MS = Math.floor(Date.now() / HOUR_MS - 3) * HOUR_MS;
/** As cli/redrive.ts has it: the records that are written down at a time. */
export const PAGE_RECORDS = 200;

export const OTHER_NAMES = `
event_id: { column: click }
ad_id: { column: campaign }
timestamp: { column: at, format: epoch_s }
fields: { country: { column: cc } }`;
export interface Answer {
  readonly sent: number;
  readonly selected: number;
  readonly redrive: number | null;
}

/** One topic, its own database and a stream worker; and the command line on them. */
export class RedriveBed {
  private mappings = 0;

  private constructor(
    readonly topic: string,
    readonly database: TestDatabase,
    private readonly worker: Worker,
    readonly home: string,
  ) {}

  static async open(): Promise<RedriveBed> {
    const [topic, database] = [await freshTopic(3), await freshDatabase()];
    const worker = startWorker(kafkaBrokers(), database, [topic]);
    return new RedriveBed(
      topic,
      database,
      worker,
      mkdtempSync(join(tmpdir(), 'truecount-redrive-')),
    );
  }

  get env(): Record<string, string> {
    return {
      TRUECOUNT_HOME: this.home,
      TRUECOUNT_POSTGRES_URL: this.database.url,
      TRUECOUNT_KAFKA_BROKERS: kafkaBrokers().join(),
      TRUECOUNT_TOPICS: this.topic,
    };
  }

  mapping(text: string): string {
    const path = join(this.home, `mapping-${String(++this.mappings)}.yaml`);
    writeFileSync(path, text);
    return path;
  }

  async redrive(...args: string[]): Promise<Answer> {
    const { code, stdout, stderr } = await truecount(
      ['quarantine', 'redrive', '--json', ...args],
      this.env,
    );
    if (code !== 0) throw new Error(`exit ${String(code)}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Answer;
  }

  /** What a run prints and ends with, whatever that is. */
  run(...args: string[]): Promise<Outcome> {
    return truecount(['quarantine', 'redrive', ...args], this.env);
  }

  async send(records: readonly LogRecord[]): Promise<void> {
    await produce(kafkaBrokers(), this.topic, records);
    await this.counted();
  }

  counted(): Promise<void> {
    return untilCounted(this.database.pool, kafkaBrokers(), this.topic);
  }

  async onLog(): Promise<number> {
    const ends = await endOffsets(kafkaBrokers(), this.topic);
    return [...ends.values()].reduce((sum, end) => sum + end, 0);
  }

  async flow(): Promise<Record<string, number>> {
    const { rows } = await this.database.pool.query<Record<string, string>>(
      `select sum(counted) as counted, sum(duplicate) as duplicate, sum(quarantined) as quarantined
         from flushes`,
    );
    return Object.fromEntries(Object.entries(rows[0]!).map(([name, n]) => [name, Number(n)]));
  }

  async close(): Promise<void> {
    await this.worker.stop();
    await this.database.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** The i-th click of the tests: its ad, time and country. */
export function clickOf(i: number): { ad: string; ms: number; country: string } {
  const ms = START_MS + (i % 90) * MINUTE_MS + (i % 60) * 1_000;
  return { ad: `ad-${String(i % 7)}`, ms, country: ['US', 'DE'][i % 2]! };
}

export function addTo(truth: Cells, i: number, withCountry = true): void {
  const { ad, ms, country } = clickOf(i);
  const minute = Math.floor(ms / MINUTE_MS) * MINUTE_MS;
  const filters = ['', `country:${withCountry ? country : 'unknown'}`];
  for (const filter of [...filters, 'device:unknown', 'format:unknown']) {
    const cell = `${ad}|${String(minute)}|${filter}`;
    truth.set(cell, (truth.get(cell) ?? 0) + 1);
  }
}

/** Keyed as a producer might that has no ad: any partition. */
export function record(i: number, body: unknown): LogRecord {
  return { key: `k${String(i)}`, line: typeof body === 'string' ? body : JSON.stringify(body) };
}

export function otherNames(i: number): LogRecord {
  const { ad, ms, country } = clickOf(i);
  return record(i, { click: 10_000_000 + i, campaign: ad, at: ms / 1_000, cc: country });
}
