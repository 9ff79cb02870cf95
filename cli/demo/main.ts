import { Command, Option } from 'commander';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { ClickProducer } from '../../ingest/producer.js';
import { kafkaClientOptions } from '../../runtime/connections.js';
import { cutHours } from '../../runtime/cut-hours.js';
import { createKafka } from '../../runtime/kafka-client.js';
import { readLogEnds, untilCommitted } from '../../runtime/log-end.js';
import { openSession } from '../../store/session.js';
import { Progress, print, say } from '../output.js';
import { reportError } from '../report-error.js';
import { askApi, compareCells } from './compare.js';
import { Faults } from './faults.js';
import { fileLoad, generatedLoad, parseCellKey } from './load.js';
import type { Cells, Load } from './load.js';
import { Stage } from './stage.js';

/** How long the load flows: long enough to break things meanwhile. */
const FLOW_S = 20;
const RATE_MIN = 1_000;
const API_QUESTIONS = 200;

interface Options {
  readonly clicks: string;
  readonly seed: string;
  readonly input?: string;
  readonly format: 'csv' | 'ndjson';
  readonly mapping?: string;
}

function number(n: number): string {
  return n.toLocaleString('en');
}

function line(title: string, text: string): void {
  print(`  ${title.padEnd(9)} ${text}`);
}

function seconds(fromMs: number): string {
  return `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
}

/** `npm run demo`: clicks from a source to served counts, with faults on the way. */
async function demo(options: Options): Promise<boolean> {
  const load =
    options.input === undefined
      ? generatedLoad(Number(options.clicks), Number(options.seed))
      : fileLoad({
          input: options.input,
          format: options.format,
          ...(options.mapping === undefined ? {} : { mapping: options.mapping }),
        });
  print('truecount demo: every click counted once\n');
  const progress = new Progress(5_000);
  const startMs = performance.now();
  const stage = await Stage.set((text) => {
    progress.update(text);
  });
  try {
    await stage.open();
    progress.done();
    line(
      'stack',
      `PostgreSQL, Kafka, 2 stream workers, 1 API as processes, in ${seconds(startMs)}`,
    );
    line('load', load.description);
    await stream(stage, load, progress);
    await cut(stage);
    return await compare(stage, await load.truth());
  } finally {
    progress.done();
    await stage.clear();
  }
}

/** Sends the load while the faults happen, and waits until all of it is committed. */
async function stream(stage: Stage, load: Load, progress: Progress): Promise<void> {
  const kafka = createKafka(kafkaClientOptions(stage.config));
  const producer = await ClickProducer.connect(kafka, { topic: stage.topic, compression: 'none' });
  const perSecond = Math.max(RATE_MIN, Math.round(load.records / FLOW_S));
  const faults = new Faults(stage, load.records, (text) => {
    progress.done();
    line('', text);
  });
  const startMs = performance.now();
  line('stream', `clicks flow at ${number(perSecond)}/s, and meanwhile:`);
  const breaking = faults.run();
  let sent = 0;
  let rejected = 0;
  try {
    for await (const item of load.items()) {
      if (item.kind === 'rejected') {
        rejected++;
        continue;
      }
      await producer.add(item.key, item.bytes);
      sent++;
      if (sent % 250 === 0) {
        progress.update(`sent ${number(sent)} of ${number(load.records)}`);
        const aheadMs = (sent / perSecond) * 1000 - (performance.now() - startMs);
        if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      }
    }
    await producer.flush();
  } finally {
    await producer.close();
  }
  faults.allSent();
  await breaking;
  const ends = await readLogEnds(kafkaClientOptions(stage.config), stage.config.topics);
  await untilCommitted(stage.pool, ends, { timeoutMs: 60_000 });
  progress.done();
  const fates = await readFates(stage);
  line(
    '',
    `${number(sent)} records in ${seconds(startMs)}${rejected > 0 ? `, ${number(rejected)} rows refused at the door` : ''}:`,
  );
  line('', fates);
}

async function readFates(stage: Stage): Promise<string> {
  const { rows } = await stage.pool.query<Record<string, string>>(
    `select sum(counted) as counted, sum(duplicate) as duplicate, sum(quarantined) as quarantined,
            sum(lost) as lost, sum(late) as late from flushes`,
  );
  return ['counted', 'duplicate', 'quarantined', 'late', 'lost']
    .map((fate) => `${number(Number(rows[0]![fate]))} ${fate}`)
    .join(' + ');
}

/** Cuts every hour that has clicks. */
async function cut(stage: Stage): Promise<void> {
  const { rows } = await stage.pool.query<{ from: Date; to: Date }>(
    'select min(hour) as from, max(hour) as to from hours',
  );
  const { from, to } = rows[0]!;
  const session = await openSession({
    connection: { connectionString: stage.config.postgresUrl },
    applicationName: 'truecount demo',
  });
  try {
    const range = { fromMs: from.getTime(), toMs: to.getTime() + HOUR_MS };
    const hours = await cutHours(session, range, () => undefined);
    const late = hours.reduce((sum, hour) => sum + hour.late, 0);
    line('cut', `${String(hours.length)} hours, at an exact line of the log; ${number(late)} late`);
  } finally {
    await session.end();
  }
}

/** Asks the API some of the truth, and compares all of it with what SQL serves. */
async function compare(stage: Stage, truth: Cells): Promise<boolean> {
  const cells = [...truth];
  const step = Math.max(1, Math.floor(cells.length / API_QUESTIONS));
  let asked = 0;
  let right = 0;
  let shown: string | undefined;
  for (let i = 0; i < cells.length; i += step) {
    const [key, expected] = cells[i]!;
    const { ad, minuteMs, filter } = parseCellKey(key);
    const answer = await askApi(stage.apiUrl, ad, minuteMs, minuteMs + MINUTE_MS, filter);
    asked++;
    if (answer.count === expected) right++;
    if (filter === '' && expected > 1) {
      const at = new Date(minuteMs).toISOString().slice(0, 16);
      shown ??= `ad ${ad} at ${at}Z: ${String(answer.count)} clicks, ${answer.state}, revision ${String(answer.revision)}`;
    }
  }
  line('api', `${String(asked)} questions over HTTP, ${String(right)} answered with the truth`);
  if (shown !== undefined) line('', shown);
  const result = await compareCells(stage.pool, truth);
  print(
    `\ndemo: ${String(result.served)} cells served, ${String(result.equal)} equal to the truth, ` +
      `${String(result.different)} different, ${String(result.missing)} missing, ${String(result.extra)} extra`,
  );
  return right === asked && result.equal === truth.size && result.served === truth.size;
}

const program = new Command('demo')
  .description('Counts clicks once, breaks things on the way, and compares with the truth.')
  .option('--clicks <number>', 'lines to generate', '300000')
  .option('--seed <number>', 'another seed, another load', '1')
  .option('--input <file>', 'count this file instead')
  .addOption(new Option('--format <name>', 'of the file').choices(['csv', 'ndjson']).default('csv'))
  .option('--mapping <file>', 'which columns of the file make a click');

try {
  await program.parseAsync();
  process.exitCode = (await demo(program.opts())) ? 0 : 1;
} catch (error) {
  reportError(error, false);
  say('demo: failed');
  process.exitCode = 1;
}
