import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { parseWhole } from '../../core/question.js';
import { formatTime, parseTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import { DEFAULT_FROM_MS, generateClicks } from '../../ingest/generator/generate.js';
import type { GeneratedLoad, GeneratedRecord } from '../../ingest/generator/generate.js';
import { ndjsonChunks, truthChunks } from '../../ingest/generator/ndjson.js';
import { STDOUT, writeFile, writeTo } from '../output-file.js';
import { Progress, printJson, say, withExamples } from '../output.js';

interface GenerateOptions {
  readonly clicks: string;
  readonly seed: string;
  readonly from: string;
  readonly hours: string;
  readonly truth?: string;
  readonly out: string;
  readonly mapUk: boolean;
  readonly json?: boolean;
}

/** `truecount generate`: a deterministic load, and what it must count to. */
export function register(program: Command): void {
  const generate = program
    .command('generate')
    .summary('a deterministic load of clicks, and its true counts')
    .description(
      'Writes clicks as NDJSON: one hot ad, retries near and far, clicks late and out of order, ' +
        'odd values, records that are no clicks. Equal options give equal bytes.',
    )
    .requiredOption('--clicks <number>', 'lines to write')
    .requiredOption('--seed <number>', 'another seed, another load')
    .option('--from <hour>', 'first event hour', formatTime(DEFAULT_FROM_MS))
    .option('--hours <number>', 'event hours that the load spans', '3')
    .option('--truth <file>', 'write the true cells here: NDJSON {ad_id, minute, filter, count}')
    .option('--out <file>', 'write the clicks here; - is stdout', '-')
    .option('--no-map-uk', 'count UK as UK in the truth; the built-in rule set counts it as GB')
    .option('--json', 'the summary as one JSON document (on stderr if the clicks are on stdout)')
    .action(run);
  withExamples(
    generate,
    'npx truecount generate --clicks 1000 --seed 1',
    'npx truecount generate --clicks 100000 --seed 1 --out clicks.ndjson --truth truth.ndjson',
  );
}

async function run(options: GenerateOptions): Promise<void> {
  const fromMs = parseTime('--from', options.from);
  if (fromMs % HOUR_MS !== 0) {
    throw new TruecountError('invalid_argument', `--from is not on a full hour: ${options.from}`, {
      hint: 'for example --from 2025-11-21T08',
    });
  }
  const load = generateClicks({
    clicks: parseWhole('--clicks', options.clicks, 0, Number.MAX_SAFE_INTEGER),
    seed: parseWhole('--seed', options.seed, 0, Number.MAX_SAFE_INTEGER),
    hours: parseWhole('--hours', options.hours, 1, 24 * 366),
    fromMs,
    mapUk: options.mapUk,
  });
  const toStdout = options.out === STDOUT;
  const clicks = ndjsonChunks(reporting(load, Number(options.clicks)));
  await writeTo(options.out, Readable.from(clicks));
  if (options.truth !== undefined) {
    await writeFile(options.truth, Readable.from(truthChunks(load.truth)));
  }
  const summary = load.truth.summary();
  if (options.json !== true) say(words(summary));
  else if (toStdout) say(JSON.stringify(summary));
  else printJson(summary);
}

function* reporting(load: GeneratedLoad, clicks: number): Generator<GeneratedRecord> {
  const progress = new Progress();
  let count = 0;
  for (const record of load) {
    yield record;
    count += 1;
    if (count % 16_384 === 0) progress.update(`generated ${count} of ${clicks}`);
  }
  progress.done();
}

function words(summary: ReturnType<GeneratedLoad['truth']['summary']>): string {
  const { sent, countable, duplicates, malformed, cells } = summary;
  const reasons = Object.entries(malformed).map(([reason, count]) => `${reason} ${count}`);
  return [
    `${sent} lines: ${countable} clicks in ${cells} cells, ${duplicates} duplicates`,
    `no clicks: ${reasons.join(', ') || 'none'}`,
  ].join('\n');
}
