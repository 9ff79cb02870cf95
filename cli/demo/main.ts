import { join } from 'node:path';
import { Command, Option } from 'commander';
import { openTemporal } from '../../runtime/temporal/client.js';
import { Progress, print, say } from '../output.js';
import { reportError } from '../report-error.js';
import { askSome, compareCells, isTruth } from './compare.js';
import type { Comparison } from './compare.js';
import { replayFix } from './fix.js';
import { streamLoad } from './flow.js';
import { keep } from './keep.js';
import { fileLoad, generatedLoad } from './load.js';
import type { Cells, Load } from './load.js';
import { auditAll, explain } from './proof.js';
import { FIRST_RULES } from './rules.js';
import { line, number, seconds } from './say.js';
import { readServed } from './served.js';
import { settle, settleLate } from './settle.js';
import { Stage } from './stage.js';
import { serveBefore } from './workflows.js';

interface Options {
  readonly clicks: string;
  readonly seed: string;
  readonly input?: string;
  readonly format: 'csv' | 'ndjson';
  readonly mapping?: string;
  readonly keep?: boolean;
}

/** `npm run demo`: clicks from a source to final, corrected, proven counts, with faults on the way. */
async function demo(options: Options): Promise<boolean> {
  const load = loadOf(options);
  print('truecount demo: one number per minute, provisional, then final, then proven\n');
  const progress = new Progress(5_000);
  const startMs = performance.now();
  const stage = await Stage.set(FIRST_RULES, (text) => {
    progress.update(text);
  });
  try {
    const signal = endSignal();
    const interrupted = signal.then((name) => {
      throw new Error(`${name}: ended before the end`);
    });
    interrupted.catch(() => undefined); // after the race nobody waits for it
    const good = await Promise.race([interrupted, story(stage, load, progress, startMs, options)]);
    if (options.keep === true) await signal;
    await stage.clear(false);
    return good;
  } catch (error) {
    progress.done();
    await stage.clear(true);
    say(`demo: the logs of its services are in ${join(stage.dir, 'logs')}`);
    throw error;
  }
}

/** Resolves when somebody wants it to end. */
function endSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, resolve);
  });
}

async function story(
  stage: Stage,
  load: Load,
  progress: Progress,
  startMs: number,
  options: Options,
): Promise<boolean> {
  await stage.open();
  progress.done();
  line('stack', `PostgreSQL, Kafka, Temporal, 2 stream workers, archive, API: ${seconds(startMs)}`);
  line('load', load.description);
  await streamLoad(stage, load, progress);
  const fix = await load.fix();
  const told = new Told(stage);
  await settle(stage, progress);
  await told.equal('by the first rules', await load.truthBefore());
  if (await settleLate(stage, load, progress)) {
    await told.equal('late clicks included', await load.truthBefore());
  }
  const before = await load.truthBefore();
  const after = await load.truthAfter();
  const asOf = (await readServed(stage.pool)).publication;
  const temporal = await openTemporal(stage.config);
  const { client } = temporal;
  try {
    const { range, cell } = await replayFix(stage, client, fix, progress);
    await told.equal('by the fixed rules', after);
    await told.stillAt(asOf, before);
    const isProven = cell !== undefined && (await explain(stage, cell));
    const back = await serveBefore(stage, client, range, 'rollback');
    await told.equal(`rolled back (publication ${String(back.publication)})`, before);
    const forward = await serveBefore(stage, client, range, 'publish');
    const last = await told.equal(
      `forward again (publication ${String(forward.publication)})`,
      after,
    );
    const isSound = await auditAll(stage, progress);
    line('time', seconds(startMs));
    if (options.keep === true) keep(stage);
    result(last);
    return told.allEqual && isProven && isSound;
  } finally {
    await temporal.close();
  }
}

/** Compares what is served with the truth, and tells. */
class Told {
  allEqual = true;

  constructor(private readonly stage: Stage) {}

  /** All of what SQL serves, and some of it through HTTP. */
  async equal(what: string, truth: Cells): Promise<Comparison> {
    const comparison = await compareCells(this.stage.pool, truth);
    const { asked, right } = await askSome(this.stage.apiUrl, truth, null);
    const { hours, final } = await readServed(this.stage.pool);
    const good = isTruth(comparison, truth) && right === asked && final === hours;
    if (!good) this.allEqual = false;
    line(
      good ? 'equal' : 'DIFFERS',
      `${what}: ${number(comparison.equal)} of ${number(truth.size)} cells are the truth, ` +
        `${number(right)} of ${number(asked)} over HTTP`,
    );
    return comparison;
  }

  /** What was served before is still answered. */
  async stillAt(asOf: number, truth: Cells): Promise<void> {
    const { asked, right } = await askSome(this.stage.apiUrl, truth, asOf);
    if (right !== asked) this.allEqual = false;
    line(
      right === asked ? 'as_of' : 'DIFFERS',
      `as_of=${String(asOf)} still gives the first numbers: ${number(right)} of ${number(asked)}`,
    );
  }
}

function result({ served, equal, different, missing, extra }: Comparison): void {
  print(
    `\ndemo: ${String(served)} cells served, ${String(equal)} equal to the truth, ` +
      `${String(different)} different, ${String(missing)} missing, ${String(extra)} extra`,
  );
}

function loadOf(options: Options): Load {
  if (options.input === undefined)
    return generatedLoad(Number(options.clicks), Number(options.seed));
  const { input, format, mapping } = options;
  return fileLoad({ input, format, ...(mapping === undefined ? {} : { mapping }) });
}

const program = new Command('demo')
  .description('Counts clicks once, breaks things on the way, makes counts final, corrects them.')
  .option('--clicks <number>', 'lines to generate', '300000')
  .option('--seed <number>', 'another seed, another load', '1')
  .option('--input <file>', 'count this file instead')
  .addOption(new Option('--format <name>', 'of the file').choices(['csv', 'ndjson']).default('csv'))
  .option('--mapping <file>', 'which columns of the file make a click')
  .option('--keep', 'leave everything running at the end, to look around, until Ctrl-C');

try {
  await program.parseAsync();
  process.exitCode = (await demo(program.opts())) ? 0 : 1;
} catch (error) {
  reportError(error, false);
  say('demo: failed');
  process.exitCode = 1;
}
