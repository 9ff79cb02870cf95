import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach } from 'vitest';
import { formatFor } from '../../../cli/format-options.js';
import { openRecordReader } from '../../../ingest/formats/record-reader.js';
import type { Format } from '../../../ingest/formats/record-reader.js';
import type { SourceRecord } from '../../../ingest/formats/source-item.js';
import { parseMapping } from '../../../ingest/mapping/mapping.js';
import type { Mapping } from '../../../ingest/mapping/mapping-schema.js';
import { createTailMetrics } from '../../../ingest/tail/metrics.js';
import { parsePattern } from '../../../ingest/tail/names.js';
import { OwnFiles } from '../../../ingest/tail/own-files.js';
import type { Reject } from '../../../ingest/tail/rejects.js';
import { Scanner } from '../../../ingest/tail/scan.js';
import { prepareStateFolder, readState, writeState } from '../../../ingest/tail/state-file.js';
import { Tail } from '../../../ingest/tail/tail.js';
import { until } from '../../support/until.js';

const OWNER = { source: 'test', topic: 'clicks', format: 'by name' };

/** A CSV whose rows get ids by their position. */
export const CSV = parseMapping(
  'event_id: {position: true}\nad_id: {column: ad}\ntimestamp: {column: at, format: epoch_ms}',
  'test',
);

/** Lines of NDJSON, each another one. */
export function lines(prefix: string, count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `{"n":"${prefix}${String(from + i)}"}\n`).join('');
}

export interface HarnessOptions {
  /** Below the folder of the logs; default `*`. */
  readonly patterns?: readonly string[];
  /** Default: as the command line chooses it. */
  readonly format?: Format;
  readonly mapping?: Mapping;
  readonly graceMs?: number;
  readonly forgetMs?: number;
  readonly openMax?: number;
  /** Below the temporary folder, in which `logs` and `link` are that of the logs; default `state/state.json`. */
  readonly stateFile?: string;
  /** Likewise; default `state/rejects`. Nothing is written there. */
  readonly rejectsFile?: string;
}

/** Makes harnesses, each of which is closed after its test. */
export function harnesses(): (options?: HarnessOptions) => Harness {
  const open: Harness[] = [];
  afterEach(async () => {
    for (const harness of open.splice(0)) await harness.close();
  });
  return (options) => {
    const harness = new Harness(options);
    open.push(harness);
    return harness;
  };
}

/** A tail in this process on a temporary folder; what it sends is kept, not sent. */
export class Harness {
  readonly folder = mkdtempSync(join(tmpdir(), 'truecount-tail-'));
  readonly logs = join(this.folder, 'logs');
  readonly stateFile: string;
  readonly rejectsFile: string;
  readonly sent: SourceRecord[] = [];
  readonly rejects: Reject[] = [];
  /** Nothing is acknowledged before it resolves. */
  gate: Promise<void> | undefined;
  /** Bytes given to `send`, acknowledged or not. */
  offered = 0;
  saves = 0;
  /** What was logged: JSON lines. */
  readonly logged: string[] = [];
  tail: Tail | undefined;
  registry = new Registry();
  private running: Promise<void> | undefined;

  constructor(private readonly options: HarnessOptions = {}) {
    this.stateFile = join(this.folder, options.stateFile ?? 'state/state.json');
    this.rejectsFile = join(this.folder, options.rejectsFile ?? 'state/rejects');
    prepareStateFolder(join(this.logs, 'x'));
    symlinkSync('logs', join(this.folder, 'link'));
    prepareStateFolder(this.stateFile);
  }

  /** As written, also with a `/` at its end. */
  path(name: string): string {
    return `${this.logs}/${name}`;
  }

  /** Puts a gz file in the place of a log, as gzip(1) does: written beside it, with its times. */
  gzip(name: string): void {
    const path = this.path(name);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
    const { atime, mtime } = statSync(path);
    utimesSync(`${path}.gz`, atime, mtime);
    unlinkSync(path);
  }

  start(): void {
    const { patterns = ['*'], mapping, graceMs = 100 } = this.options;
    const parsed = patterns.map((pattern) => parsePattern(this.path(pattern), '/', existsSync));
    const scanner = new Scanner({
      patterns: parsed,
      own: new OwnFiles(this.stateFile, this.rejectsFile),
      graceMs,
    });
    this.registry = new Registry();
    const metrics = createTailMetrics(this.registry, {
      files: () => tail.files.lag(),
      openFiles: () => tail.files.counts().openFiles,
      setAside: () => tail.files.counts().setAside,
      outage: () => this.gate !== undefined,
      nowMs: () => Date.now(),
    });
    const tail = new Tail({
      state: readState(this.stateFile, OWNER, Date.now()),
      asked: parsed.flatMap(({ file }) => file ?? []),
      scan: (nowMs, open, usualPath) => scanner.scan(nowMs, open, usualPath),
      openReader: (path, from) => {
        const format = formatFor(path, this.options.format, mapping);
        return openRecordReader({ format, mapping, source: 'test', state: from ?? undefined });
      },
      send: async (records, signal) => {
        this.offered += records.reduce((sum, { bytes }) => sum + bytes.length, 0);
        if (this.gate !== undefined) await Promise.race([this.gate, once(signal, 'abort')]);
        signal.throwIfAborted();
        this.sent.push(...records.map((one) => ({ ...one, bytes: Buffer.from(one.bytes) })));
      },
      keepRejects: async (rejects) => void this.rejects.push(...rejects),
      save: async (state) => {
        this.saves += 1;
        await writeState(this.stateFile, state);
      },
      pollMs: 10,
      graceMs,
      forgetMs: this.options.forgetMs ?? 60_000,
      openMax: this.options.openMax ?? 256,
      metrics,
      log: pino(
        { level: process.env['TEST_LOG'] ?? 'debug' },
        { write: (line) => void this.logged.push(line) },
      ),
      now: () => Date.now(),
    });
    this.tail = tail;
    this.running = tail.begin().then(() => tail.run());
    this.running.catch(() => undefined);
  }

  /** Resolves when all that was read is saved, and no byte waits. */
  async untilQuiet(): Promise<void> {
    const waits = (): boolean => this.tail!.files.lag().some(({ bytes }) => bytes > 0);
    await until('nothing waits', () => !waits());
  }

  async stop(): Promise<void> {
    this.tail?.stop(1_000);
    await this.running;
    this.tail = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  texts(): string[] {
    return this.sent.map(({ bytes }) => bytes.toString());
  }

  /** The distinct records, when there are so many of them and nothing is left. */
  async untilSent(count: number): Promise<string[]> {
    const distinct = (): Set<string> => new Set(this.texts());
    await until(`${String(count)} distinct records`, () => distinct().size >= count).catch(
      (error: unknown) => {
        throw new Error(`${String(distinct().size)} came`, { cause: error });
      },
    );
    return [...distinct()];
  }

  async metric(name: string): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)!.get();
    return metric.values.reduce((sum, { value }) => sum + value, 0);
  }
}
