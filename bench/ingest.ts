import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from './support/end-by-signal.js';
import { parseClick } from '../core/click/parse.js';
import { generateClicks } from '../ingest/generator/generate.js';
import { loadConfig } from '../runtime/config.js';
import type { Config } from '../runtime/config.js';
import { packageFile } from '../runtime/package-root.js';
import { startKafka } from '../runtime/stack/kafka.js';
import { ensureTopics } from '../runtime/topics.js';
import { growth, MemoryWatch, tenthsRow } from './support/memory.js';
import { thousands } from './support/report.js';
import type { Report, Row } from './support/report.js';
import { serviceEnvironment } from './support/world.js';

const TOPIC = 'bench-ingest';
const BLOCK_CLICKS = 50_000;
const MAPPING =
  'event_id: {position: true}\nad_id: {column: ad_id}\n' +
  'timestamp: {column: timestamp, format: epoch_ms}\n';

export interface IngestBenchOptions {
  readonly megabytes: number;
  /** Only this one: `ndjson`, `csv` or `several` files; by default all. */
  readonly input?: string | undefined;
}

interface Run {
  readonly name: string;
  readonly files: readonly string[];
  readonly args: readonly string[];
}

/**
 * `truecount ingest` of large files into a Kafka of its own: clicks a second, and the memory of the
 * process over the time of the run. The blocks of a file repeat: what is counted is not looked at.
 */
export async function benchIngest(options: IngestBenchOptions): Promise<Report[]> {
  const dir = scratchFolder();
  const kafka = await startKafka({ dir: join(dir, 'kafka') });
  try {
    const flags = { home: dir, 'kafka.brokers': [kafka.address], topics: [TOPIC] };
    const { config } = loadConfig({ flags, env: {}, useStack: false });
    await ensureTopics(config);
    const runs = writeInputs(dir, options);
    const measured: Measured[] = [];
    for (const run of runs) measured.push(await measure(config, run));
    return [rates(runs, measured, options.megabytes), memory(runs, measured)];
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** One file of the whole size in two formats, and four of a quarter, read by one and by two. */
function writeInputs(dir: string, { megabytes, input }: IngestBenchOptions): Run[] {
  const load = generateClicks({ clicks: BLOCK_CLICKS, seed: 7, withTruth: false });
  const lines = Array.from(load, ({ line }) => Buffer.from(line));
  const ndjson = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
  const rows = lines.flatMap((line) => {
    const decoded = parseClick(line, Infinity, ['user_id']);
    if (decoded.kind === 'rejected') return [];
    const { adId, eventMs, fields } = decoded.click;
    const user = fields[0]?.kind === 'value' ? fields[0].text : '';
    // As wide as the JSON, and with quotes.
    return [`${adId},${String(eventMs)},${user},"${line.toString().replaceAll('"', '""')}"\n`];
  });
  const csv = Buffer.from(rows.join(''));
  const mapping = join(dir, 'm.yaml');
  fill(mapping, Buffer.from(MAPPING), 0);
  const write = (name: string, block: Buffer, size: number, head?: string): string => {
    const path = join(dir, name);
    fill(path, block, size, head);
    return path;
  };
  const table = (): Run => {
    const files = [write('clicks.csv', csv, megabytes, 'ad_id,timestamp,user_id,all\n')];
    return { name: 'CSV, ids by position', files, args: ['--mapping', mapping] };
  };
  const quarters = (): Run[] => {
    const files = [1, 2, 3, 4].map((i) => write(`${String(i)}.ndjson`, ndjson, megabytes / 4));
    return [
      { name: '4 NDJSON, one by one', files, args: [] },
      { name: '4 NDJSON, 2 side by side', files, args: ['--parallel', '2'] },
    ];
  };
  if (input === 'csv') return [table()];
  if (input === 'several') return quarters();
  const whole = { name: 'NDJSON', files: [write('clicks.ndjson', ndjson, megabytes)], args: [] };
  return input === 'ndjson' ? [whole] : [whole, table(), ...quarters()];
}

/** Writes a block at least once, and on until the file has its size. */
function fill(path: string, block: Buffer, megabytes: number, head = ''): void {
  const file = openSync(path, 'w');
  let written = writeSync(file, head);
  do written += writeSync(file, block);
  while (written < megabytes * 1e6);
  closeSync(file);
}

interface Measured {
  readonly sent: number;
  readonly elapsedMs: number;
  readonly peakBytes: number;
  /** Resident bytes, as `MemoryWatch` takes them. */
  readonly samples: readonly number[];
}

async function measure(config: Config, { files, args }: Run): Promise<Measured> {
  const program = packageFile('dist', 'cli', 'main.js');
  const child = spawn(process.execPath, [program, 'ingest', ...files, ...args, '--json'], {
    env: serviceEnvironment(config),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('truecount ingest did not start');
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const watch = new MemoryWatch(pid);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const samples = watch.stop();
  if (code !== 0) throw new Error(`truecount ingest ended with ${String(code)}: ${stdout}`);
  const { sent, elapsed_ms: elapsedMs } = JSON.parse(stdout) as {
    sent: number;
    elapsed_ms: number;
  };
  return { sent, elapsedMs, peakBytes: watch.peakBytes, samples };
}

function rates(runs: readonly Run[], measured: readonly Measured[], megabytes: number): Report {
  const rows = measured.map(({ sent, elapsedMs, peakBytes }, i): Row => ({
    input: runs[i]!.name,
    records: thousands(sent),
    seconds: (elapsedMs / 1_000).toFixed(1),
    'records/s': thousands((sent / elapsedMs) * 1_000),
    'MB/s': ((megabytes / elapsedMs) * 1_000).toFixed(1),
    'peak MB': thousands(peakBytes / 1e6),
  }));
  const note = `inputs of ${thousands(megabytes)} MB or a little more; one broker on this machine`;
  return { name: 'Ingest of files', rows, notes: [note], raw: measured };
}

/** The most memory in each part of the time of a run. */
function memory(runs: readonly Run[], measured: readonly Measured[]): Report {
  const rows = measured.map(({ samples }, i): Row => {
    return { input: runs[i]!.name, ...tenthsRow(samples) };
  });
  const failures = measured.flatMap(({ samples }, i) => growth(runs[i]!.name, samples));
  return { name: 'Memory of it in MB, by tenths of its time', rows, notes: [], failures };
}
